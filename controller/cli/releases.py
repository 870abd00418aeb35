"""`rollbackctl releases`: what is registered and thought of a service's releases; answers for pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from controller.cli.options import api, api_options, json_option
from controller.cli.terminal import print_json, say

if TYPE_CHECKING:
    from controller.cli.api import Api

BAD, SUSPECT, NOT_READY = 10, 11, 12
"""Exit codes: a promise to pipelines, apart from those of a command that did not work out."""

_env_option = click.option("--env", "environment", default="", help="One environment; else what holds in all.")
_why_option = click.option("--why", default="", help="Why; whoever meets the mark reads it.")


@click.group("releases")
def command() -> None:
    """Show, register and mark releases, and ask what is thought of one.

    A release is named by its version, its commit, a digest of its image, or as an instance calls it.
    """


@command.command("list")
@click.argument("service")
@click.option("--limit", type=click.IntRange(1, 500), default=5, show_default=True, help="How many.")
@_env_option
@json_option
@api_options
def list_releases(
    *, service: str, limit: int, environment: str, as_json: bool, config: Path | None, url: str | None
) -> None:
    """List the releases of SERVICE, the newest first, what is thought of each, and where it runs."""
    from controller.cli.releases_shown import print_releases  # noqa: PLC0415 - for those who list

    answer = api(config, url).get(_path(service), limit=limit, environment=environment)
    print_json(answer) if as_json else print_releases(answer)


@command.command("add")
@click.argument("service")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--version", help="What the release is called; the only thing that is needed.")
@click.option("--commit", help="The commit it was built from.")
@click.option("--digest", "digests", multiple=True, help="Digest of an image, sha256:…; may be repeated.")
@click.option("--artifact-sha256", help="Hash of its artifact, as sha256sum prints it.")
@click.option("--built-at", help="When it was built, as in 2026-01-22T03:47:00Z.")
@click.option("--passed-smoke-test/--failed-smoke-test", default=None, help="How its smoke test went.")
@click.option("--go-version", help="The Go version it was built with.")
@click.option("--platform", help="GOOS/GOARCH that it was built for, as in linux/amd64.")
@click.option("--irreversible/--reversible", default=None, help="Once it ran, nothing older may run again.")
@click.option("--cannot-go-back-past", metavar="RELEASE", help="The oldest release that may still run after it.")
@click.option("--notes", help="Anything else.")
@json_option
@api_options
def add(
    *,
    service: str,
    file: Path | None,
    digests: tuple[str, ...],
    as_json: bool,
    config: Path | None,
    url: str | None,
    **said: Any,
) -> None:
    """Register a release of SERVICE: from FILE (JSON or YAML, - reads it), or from the options.

    A FILE may hold a list. Registering the same again does nothing; what was not known is completed; another build
    under the same version is refused.
    """
    from controller.cli.releases_read import from_options, read  # noqa: PLC0415 - for those who register

    options = {name: value for name, value in said.items() if value is not None}
    if digests:
        options["digests"] = list(digests)
    if (file is None) == (not options):
        raise click.UsageError(
            "Say what to register: either FILE (or - for standard input), or --version and more."
        )
    content = from_options(options, service) if file is None else read(file, service)
    answer = api(config, url).post(_path(service), content)
    if as_json:
        print_json(answer)
        return
    words = {
        "new": "Registered {}.",
        "completed": "Completed what is known of {}.",
        "same": "{} was known so already.",
    }
    for one in answer["releases"]:
        say(words[one["registered"]].format(f"{service} {one['version']}"))
    _warn(answer)


def _marking(name: str, mark: str, sentence: str) -> None:
    @command.command(name, help=sentence)
    @click.argument("service")
    @click.argument("release")
    @_why_option
    @_env_option
    @json_option
    @api_options
    def mark_release(
        *,
        service: str,
        release: str,
        why: str,
        environment: str,
        as_json: bool,
        config: Path | None,
        url: str | None,
    ) -> None:
        asked = {"release": release, "mark": mark, "why": why, "environment": environment}
        answer = api(config, url).post(_path(service, "marks"), asked)
        if as_json:
            print_json(answer)
            return
        say(_standing(answer))
        wanted = mark if mark != "unknown" else answer["verdict"]
        if answer["verdict"] != wanted:
            say(
                f"What speaks against it outweighs this: `rollbackctl releases list {service}` shows it.", err=True
            )
        _warn(answer)


_marking("good", "good", "Mark RELEASE of SERVICE as known to be good: rules may go back to it.")
_marking("bad", "bad", "Mark RELEASE of SERVICE as known to be bad: no rule goes back to it.")
_marking("unmark", "unknown", "Take the mark of RELEASE of SERVICE away, whoever set it.")


@command.command("stable")
@click.argument("service")
@click.argument("release", required=False)
@click.option("--none", "nothing", is_flag=True, help="Nothing is stable any more.")
@_env_option
@json_option
@api_options
def stable(
    *,
    service: str,
    release: str | None,
    nothing: bool,
    environment: str,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Declare which RELEASE of SERVICE is stable: where rules go that say `to: [stable]`."""
    if (release is None) is not nothing:
        raise click.UsageError("Say which RELEASE is stable, or --none.")
    asked = {"release": release, "environment": environment}
    answer = api(config, url).put(_path(service, "stable"), asked)
    if as_json:
        print_json(answer)
        return
    where = f" in {environment}" if environment else ""
    before = f", before that {answer['before']}" if answer["before"] and answer["before"] != release else ""
    say(f"Stable for {service}{where} is {release or 'nothing'}{before}.")
    _warn(answer)


@command.command("verdict")
@click.argument("service")
@click.argument("release")
@_env_option
@json_option
@api_options
@click.pass_context
def verdict(
    ctx: click.Context,
    *,
    service: str,
    release: str,
    environment: str,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Say what is thought of RELEASE of SERVICE. Exit 0: good or unknown; 10: bad; 11: suspect.

    For pipelines, before they deploy or promote it.
    """
    answer = api(config, url).get(_path(service, "verdict"), release=release, environment=environment)
    print_json(answer) if as_json else say(_standing(answer))
    if not as_json:
        _warn(answer, hushed=True)
    ctx.exit({"bad": BAD, "suspect": SUSPECT}.get(answer["verdict"], 0))


@command.command("ready")
@click.argument("service")
@click.argument("release", required=False)
@_env_option
@json_option
@api_options
@click.pass_context
def ready(
    ctx: click.Context,
    *,
    service: str,
    release: str | None,
    environment: str,
    as_json: bool,
    config: Path | None,
    url: str | None,
) -> None:
    """Say whether every instance of SERVICE has a release to go back to. Exit 0 if so, else 12.

    For pipelines, before they deploy; with RELEASE, the one that is about to come, its one-way doors count.
    """
    from controller.cli.releases_shown import print_readiness  # noqa: PLC0415

    server: Api = api(config, url)
    answer = server.get(_path(service, "ready"), release=release, environment=environment)
    print_json(answer) if as_json else print_readiness(answer)
    if not as_json:
        _warn(answer)
    ctx.exit(0 if answer["ready"] else NOT_READY)


def _path(service: str, *more: str) -> str:
    return "/".join(("releases", quote(service, safe=""), *more))


def _standing(answer: dict[str, Any]) -> str:
    """Say what is thought of a release, and who says so."""
    by = f", says {answer['by']}" if answer["by"] else ""
    why = f": {answer['why']}" if answer["why"] else ""
    where = f" in {answer['environment']}" if answer["environment"] else ""
    return f"{answer['service']} {answer['release']} is {answer['verdict']}{where}{by}{why}."


def _warn(answer: dict[str, Any], *, hushed: bool = False) -> None:
    """Say what may be a misspelt name."""
    if answer.get("note"):
        say(f"Note: {answer['note']}.", style="yellow", err=True)
    elif answer.get("known") is False and not hushed:
        said = "nothing is registered, marked or running under this name. Is it misspelt?"
        say(f"Note: {said}", style="yellow", err=True)
