"""The command line's front door: names, one sentence each, and nothing imported before it is needed.

Someone who types `rollbackctl status` at 3 a.m., or calls it in a loop, must not wait for a web framework.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from controller.cli.first_process import obey_sigterm

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "See it work": {
        "demo": ("controller.cli.demo.command", "Show the whole path on this machine, and leave nothing behind."),
        "init": ("controller.cli.init", "Ask four things and write settings, rules, inventory and tokens."),
        "up": ("controller.cli.up", "Run everything for one machine: Valkey, server and workers."),
    },
    "Run it": {
        "serve": ("controller.cli.serve", "Run the server: the receiver for Alertmanager and the API."),
        "worker": ("controller.cli.worker", "Run the workers of this machine: they carry rollbacks out."),
        "valkey": ("controller.cli.valkey_server", "Run the embedded Valkey as a server of its own."),
        "alertmanager-config": (
            "controller.cli.alertmanager_config",
            "Print the receiver and the route for Alertmanager.",
        ),
        "rules": ("controller.cli.rules", "Check rule files, and explain what they would do."),
    },
    "See and steer": {
        "doctor": ("controller.cli.doctor", "Look this installation over, and say how to mend what is wrong."),
        "status": ("controller.cli.status", "Show on one screen what is going on."),
        "history": ("controller.cli.history", "List rollbacks, the newest first."),
        "show": ("controller.cli.show", "Show one rollback: who, what, why, and every step."),
        "why": ("controller.cli.why", "Say why something was done, or was not."),
        "rollback": ("controller.cli.rollback", "Roll instances of a service back, by hand."),
        "cancel": ("controller.cli.cancel", "Cancel a rollback that has not changed anything yet."),
        "undo": ("controller.cli.undo", "Take a rollback back, and the marks that it left."),
        "approve": ("controller.cli.approve", "Say yes to a rollback that asks."),
        "deny": ("controller.cli.deny", "Say no to a rollback that asks."),
        "releases": ("controller.cli.releases", "Show, register and mark releases; answers for pipelines."),
        "pause": ("controller.cli.pause", "Stop rules for a while: all, or for one service, or one rule."),
        "resume": ("controller.cli.resume", "End a pause."),
        "lock": ("controller.cli.lock", "Hold a service while a command runs, as a deployment."),
        "down": ("controller.cli.down", "Print what is paused, suspended, locked or pinned, and put it back."),
        "promote": ("controller.cli.promote", "Trust a rule again that was demoted."),
        "version": ("controller.cli.version", "Print the version."),
    },
}
_COMMANDS = {name: where for section in _SECTIONS.values() for name, where in section.items()}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is run, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the sections."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that is asked for."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(_COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section."""
        del ctx
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, sentence) for name, (_, sentence) in commands.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rollback-controller", prog_name="rollbackctl", message="%(prog)s %(version)s")
def cli() -> None:
    """Alerts roll back only the affected instances of a bad release, once, and say why.

    Start with `rollbackctl demo`; set up your own with `rollbackctl init`.
    """


def main() -> None:
    """Run the command line; Ctrl-C ends with 130, as a shell expects."""
    obey_sigterm()
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("", err=True)
        code = 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    sys.exit(code if isinstance(code, int) else 0)
