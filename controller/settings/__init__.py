"""What a process is told before it starts: settings, the numbers that must agree, rules and inventory."""

from __future__ import annotations

from controller.settings.clusters import ClusterSettings, clusters_in_force
from controller.settings.loading import SettingsError, load_settings
from controller.settings.monitoring import AlertmanagerSettings, PrometheusSettings
from controller.settings.notify import Channel, channels_for
from controller.settings.numbers import Numbers
from controller.settings.settings import Auth, BasicLogin, Log, Redis, Role, Settings, Token

__all__ = [
    "AlertmanagerSettings",
    "Auth",
    "BasicLogin",
    "Channel",
    "ClusterSettings",
    "Log",
    "Numbers",
    "PrometheusSettings",
    "Redis",
    "Role",
    "Settings",
    "SettingsError",
    "Token",
    "channels_for",
    "clusters_in_force",
    "load_settings",
]
