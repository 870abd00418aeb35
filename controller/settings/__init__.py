"""What a process is told before it starts: settings, the numbers that must agree, rules and inventory."""

from __future__ import annotations

from controller.settings.clusters import ClusterSettings, clusters_in_force
from controller.settings.loading import SettingsError, load_settings
from controller.settings.numbers import Numbers
from controller.settings.settings import Auth, BasicLogin, Log, Redis, Role, Settings, Token

__all__ = [
    "Auth",
    "BasicLogin",
    "ClusterSettings",
    "Log",
    "Numbers",
    "Redis",
    "Role",
    "Settings",
    "SettingsError",
    "Token",
    "clusters_in_force",
    "load_settings",
]
