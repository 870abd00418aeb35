"""What people are told: messages as values, and their texts. Sent by the workers, for everybody alike."""

from rules.telling.messages import Kind, Message
from rules.telling.texts import About, Member

__all__ = ["About", "Kind", "Member", "Message"]
