"""How long a rollback waits in `due` before it is tried again."""

from __future__ import annotations

from tenacity import RetryCallState, Retrying, wait_exponential_jitter

from workers.terms import Terms


def pause_s(terms: Terms, attempt: int) -> float:
    """Return the pause after failed attempt number `attempt` (from 1): exponential, bounded, with jitter.

    Tenacity's own strategy computes it, so that a wait in `due` and a wait in place grow alike; the jitter
    (up to a quarter of the first pause) keeps rollbacks that failed together from coming back together.
    """
    wait = wait_exponential_jitter(
        multiplier=terms.initial_s, max=terms.max_s, exp_base=terms.factor, jitter=terms.initial_s / 4
    )
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return wait(state)
