"""Which workloads of a cluster a rule is about, as models of its YAML."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema, WrapValidator

from rules.reading.fieldtypes import Literally, Section, TemplateText, Text, checked, one_of, say
from rules.reading.placenames import wrong_name
from rules.reading.wording import near_miss
from rules.rule import KubernetesTarget, Pods, WhenPaused
from rules.scope import EVERY
from rules.workloads.names import (
    KINDS,
    shortened,
    wrong_label_key,
    wrong_label_value,
    wrong_namespace,
    wrong_object_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidatorFunctionWrapHandler

    from rules.templates import Template

_EVERY_WORKLOAD = f'`selector: {{}}` selects every workload; if that is meant, write selector: "{EVERY}"'


def _fixed(check: Callable[[str], str | None]) -> AfterValidator:
    """Check a template that looks nothing up; what comes out of the others is checked when there is an alert."""

    def validate(template: Template) -> Template:
        wrong = None if template.lookups else check(template.text)
        return template if wrong is None else say(wrong)

    return AfterValidator(validate)


def _namespace(text: str) -> str | None:
    return None if text == EVERY else wrong_namespace(text)


def _workload(template: Template) -> Template:
    """Check the kind, and the name where it is fixed."""
    word, slash, name = template.text.partition("/")
    if slash and "{{" not in word and word.lower() not in KINDS:
        hint = near_miss(word, KINDS) or "; write deployment, statefulset or daemonset"
        say(f"{shortened(word)} is no kind of workload{hint}")
    wrong = None if template.lookups else wrong_object_name(name if slash else template.text)
    return template if wrong is None else say(wrong)


def _value(text: str) -> str | None:
    return wrong_label_value(text) if text else "this is empty; write the value that the label must have"


def _selector(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if value == EVERY:
        return {}
    if isinstance(value, str):
        say(f'write labels of the pod template, like {{app: web}}, or "{EVERY}" for every workload')
    return handler(value) if value != {} else say(_EVERY_WORKLOAD)


LabelKey = Annotated[Text, checked(wrong_label_key)]
Selector = Annotated[
    dict[LabelKey, Annotated[Literally, checked(_value)]],
    WrapValidator(_selector),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": EVERY},
                {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"type": "string", "minLength": 1},
                },
            ]
        }
    ),
]


Cluster = Annotated[TemplateText, _fixed(wrong_name)]
Namespace = Annotated[TemplateText, _fixed(_namespace)]
Workload = Annotated[TemplateText, AfterValidator(_workload)]


class KubernetesModel(Section):
    """Workloads of a Kubernetes cluster."""

    cluster: Annotated[
        Cluster | None,
        Field(
            description="The cluster, by its name in the settings. Without it: the alert's label, or the only one."
        ),
    ] = None
    namespace: Annotated[
        Namespace | None,
        Field(description="The namespace. Without it: the alert's own. `*`, beside a selector: every one."),
    ] = None
    workload: Annotated[
        Workload | None,
        Field(description="The workload, like deployment/web. Without it: what the alert's labels name."),
    ] = None
    selector: Annotated[
        Selector | None,
        Field(description="Labels of the pod template; all must be there. `*`: every workload of the namespace."),
    ] = None
    pods: Annotated[
        Pods,
        one_of(Pods),
        Field(description="Which pods an alert may be about: those of the newest revision, or any."),
        WithJsonSchema({"enum": [word.value for word in Pods]}),
    ] = Pods.UPDATED
    when_paused: Annotated[
        WhenPaused,
        one_of(WhenPaused),
        Field(description="What is done about a Deployment whose rollout is paused."),
        WithJsonSchema({"enum": [word.value for word in WhenPaused]}),
    ] = WhenPaused.HOLD

    def read(self) -> KubernetesTarget:
        """Return it as the rest of the project sees it."""
        selector = None if self.selector is None else MappingProxyType(dict(self.selector))
        return KubernetesTarget(self.cluster, self.namespace, self.workload, selector, self.pods, self.when_paused)
