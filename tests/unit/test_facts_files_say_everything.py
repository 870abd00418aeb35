"""Facts files: forgiving in form, strict about what they say, and every mistake at its place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from rules.alerts import Alert
from rules.explain import explain
from rules.facts import Hand
from rules.factsfile import parse_facts
from rules.inventory import parse_inventory
from rules.marks import Mark
from rules.reading.alertmodels import AlertModel
from rules.reading.factfields import FactSection
from rules.reading.factmodels import FactsModel, OtherAlertFacts, ServiceFacts
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.instancefacts import InstanceFacts
from rules.reading.monitoringfacts import AlertmanagerFacts, PrometheusFacts
from rules.reading.recordfacts import CampaignFacts, DemotionFacts, PastRollback, PauseFacts
from rules.reading.releasefacts import ReleaseFacts
from rules.rulefile import parse_rules
from rules.schema import DIRECTORY

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "facts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
HOSTS = ", ".join(f"{{name: web{n}, address: 10.0.0.{n}, labels: {{track: stable}}}}" for n in range(1, 10))
INVENTORY = parse_inventory(
    f"""
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {{systemd: shop.service}}
    hosts: [{HOSTS}]
""",
    "inventory.yaml",
)
RULE = parse_rules(
    """
version: rules/v1
rules:
  - name: errors
    mode: act
    when: {matchers: ['alertname="HighErrorRate"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}}
""",
    "rules.yaml",
)
AT_THREE = 1_795_230_000_000
ALERT = Alert("aa", "firing", {"alertname": "HighErrorRate", "instance": "web2"}, {}, AT_THREE)


def world(text, *alerts, **rest):
    return parse_facts(text, "facts.yaml").world(INVENTORY, alerts or (ALERT,), **rest)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_of_the_page_loads(text):
    """As it stands, with nothing that cannot be told."""
    assert world(text).instances


@pytest.mark.parametrize("text", EXAMPLES[:2])
def test_an_editor_shows_no_error_in_an_example(text):
    """The committed schema takes every short form that the page shows."""
    schema = json.loads((DIRECTORY / "facts.v1.json").read_text(encoding="utf-8"))
    data = YAML(typ="safe", pure=True).load(re.sub(r"(\d{4}-\d{2}-\d{2}T[\d:]+Z)", r'"\1"', text))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(data)) == []


def test_the_small_example_means_what_the_page_says():
    """The release came before the trouble, and the other one does not alert."""
    known = world(EXAMPLES[0])
    alert = replace(ALERT, starts_at_ms=known.now_ms - 600_000)
    (entry,) = explain(RULE, INVENTORY, [alert], world=known)
    (decision,) = entry["decisions"]
    assert (decision["outcome"], decision["instances"]) == ("roll-back", {"hosts/default/shop/web2": "v1.2.0"})
    (judgement,) = decision["judgements"]
    assert {"guard", "verdict", "reason", "detail", "facts"} == set(judgement["guards"][0])
    assert {"name", "value", "source", "age_s"} == set(judgement["guards"][0]["facts"][0])
    assert json.loads(json.dumps(entry)) == entry


MODELS: tuple[type[FactSection], ...] = (
    *(FactsModel, ServiceFacts, InstanceFacts, ReleaseFacts, OtherAlertFacts, AlertModel),
    *(PastRollback, CampaignFacts, PauseFacts, DemotionFacts, PrometheusFacts, AlertmanagerFacts),
)
NOT_NEEDED = {"service", "annotations", "status", "fingerprint", "generator-url", "ends-at", "starts-at", "notes"}
NOT_NEEDED |= {"commit", "go-version", "goos", "goarch", "digests", "artifact-sha256", "built-at"}
"""What Alertmanager and manifests are documented to hold, on pages of their own."""


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_on_the_page(model):
    """By the name that files write."""
    keys = {info.alias or name for name, info in model.model_fields.items()} - NOT_NEEDED
    assert [key for key in keys if not re.search(rf"\b{key}\b", PAGE)] == []


MISTAKES = {
    "an unknown key": (
        "instances: {web2: {runing: v1}}",
        "1:20: `runing` is not known here; did you mean `running`?",
    ),
    "a key one level too deep": ("instances: {web2: {prometheus: {}}}", "1:20: `prometheus` belongs one level up"),
    "a key that is elsewhere": ("known-good: [v1]\nversion: facts/v1", "`services`"),
    "a host that is not there": (
        "instances: {wbe2: {}}",
        "1:13: `wbe2` is no host in the inventory; did you mean `web2`?",
    ),
    "an id that is none": ("instances: {hosts/shop: {}}", "is not an instance: write hosts/"),
    "a time without a zone": (
        "now: 2026-11-21T03:00:00\nversion: facts/v1",
        "1:6: `2026-11-21T03:00:00` has no time zone",
    ),
    "a time without a sign": ("instances: {web2: {arrived: 30m}}", "1:29: `30m` is no time"),
    "a time without a unit": ("instances: {web2: {arrived: -30}}", "1:29: write a time"),
    "a moving now": ("now: -3m\nversion: facts/v1", "1:6: `now` is what other times are told from"),
    "a number for a version": (
        "instances: {web2: {running: 1.10}}",
        "1:29: 1.10 is a number, not text; write",
    ),
    "a mark that is none": ("services: {shop: {marks: {v1: known-godo}}}", "did you mean `known-good`?"),
    "a hand that is none": ("instances: {web2: {brought-by: robot}}", "write deploy or rollback or person"),
    "a reason that is none": ("instances: {web2: {barred: gitops-own}}", "did you mean `gitops-owned`?"),
    "history and what it says": (
        "instances: {web2: {running: v1, history: [{release: v1}]}}",
        "`history` says it already; remove `running`",
    ),
    "one instance twice": (
        "instances: {web2: {}, hosts/default/shop/web2: {}}",
        "is described already; keep one",
    ),
    "a scope that is none": ("pauses: [shop]", "1:10: `shop` is no scope; write `service NAME`"),
    "a range backwards": ("instances: {'web[9-3]': {}}", "counts from 9 to 3"),
    "names twice": ("services: {shop: {releases: [{name: v1, version: v1}]}}", "say the same; keep one"),
    "half a platform": ("services: {shop: {releases: [{name: v1, goos: linux}]}}", "belong together"),
    "no policy": ("policy: {mod: ask}", "mod"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_at_its_place(text, said):
    """With what was probably meant."""
    with pytest.raises(RuleFileErrors) as caught:
        world(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith("facts.yaml:")


AS_JSON = """
{"alerts": null, "instances": {"hosts/default/shop/web2": {"running": "v2", "arrived": null, "brought_by":
{"hand": "person"}, "last_rolled_back": {"at": "-1h"}, "platform": null}}}
"""
SPELLINGS = (
    AS_JSON,
    "instances: {web2: {running: v2, brought-by: person, last-rolled-back: -1h}}",
    "instances: {web2: {running: [v2], brought_by: {hand: person}, last_rolled_back: {at: -1h}}}",
    '{"instances": {"shop/web2": {"running": "v2", "broughtBy": "person", "lastRolledBack": "-1h"}}}',
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_says_the_same(text):
    """Hyphens, underscores, capitals; JSON with null for what is not known."""
    assert world(text) == world(SPELLINGS[1])


def test_times_are_told_from_now():
    """Which is written, or the newest that the notification or an arrival says."""
    at = "instances: {web2: {running: v2, arrived: %s, history: null}}"
    told = world("now: 2026-11-21T03:10:00Z\n" + at % "-30m").instances["hosts/default/shop/web2"]
    assert told.arrival is not None
    assert told.arrival.value.by_ms == AT_THREE + 600_000 - 1_800_000
    assert world(at % "-30m").now_ms == AT_THREE
    assert world(at % "2026-11-21T03:00:01Z").now_ms == AT_THREE + 1000
    assert world(at % "2026-11-20T03:00:00+01:00").now_ms == AT_THREE


def test_a_history_tells_what_its_last_arrival_means():
    """What runs, by whose hand, what was left, and when it went back last."""
    text = """
instances:
  web2:
    history:
      - {release: v1, at: -9d}
      - {release: v2, at: {after: -6h, by: -5h}}
      - {release: v1, at: -4h, by: {hand: rollback, who: r-9}}
"""
    one = world(text).instances["hosts/default/shop/web2"]
    assert one.running is not None
    assert one.arrival is not None
    assert one.last_change is not None
    assert (one.running.value, one.arrival.value.hand, one.left) == (("v1",), Hand.ROLLBACK, frozenset({"v2"}))
    assert (one.last_change.value.rollback, one.last_change.value.at_ms) == ("r-9", AT_THREE - 4 * 3_600_000)
    assert one.observation is not None
    assert [release.name for release in one.observation.releases] == ["v1", "v2"]


def test_the_worst_mark_of_an_environment_counts():
    """And one of another environment does not."""
    text = """
services:
  shop:
    known-good: [v1, v2]
    marks:
      - {release: v1, mark: suspect, environment: production}
      - {release: v2, mark: bad, environment: test}
instances: {web2: {environment: production}, web3: {environment: test}}
"""
    known = world(text)
    marks = {env: known.catalogue("shop", env).marks for env in ("production", "test")}
    assert {name: one.mark for name, one in marks["production"].items()} == {
        "v1": Mark.SUSPECT,
        "v2": Mark.KNOWN_GOOD,
    }
    assert marks["test"]["v2"].mark is Mark.KNOWN_BAD


def test_the_short_form_names_what_runs_and_nothing_else():
    """With anything more it is a facts file like any other."""
    assert parse_facts("hosts/default/shop/web2: {running: v1, releases: [v1]}", "f").seen_only
    assert not parse_facts("hosts/default/shop/web2: {running: v1, arrived: -3m}", "f").seen_only
    assert not parse_facts("version: facts/v1", "f").seen_only


def test_hosts_that_the_file_does_not_name_are_peers():
    """The inventory has them; nobody knows what they run."""
    known = world("instances: {web2: {running: v2}}")
    peers = known.peers(known.instances["hosts/default/shop/web2"])
    assert len(peers) == 9
    assert [(peer.running, peer.healthy) for peer in peers[1:3]] == [(None, True), (None, True)]
