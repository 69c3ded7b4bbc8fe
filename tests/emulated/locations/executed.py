"""User code: what a run may do on its way, and the ways in which it may end."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

GATE = Path("{gate}")


def wait_for_gate(context: dg.OpExecutionContext) -> None:
    deadline = time.monotonic() + 120
    while not GATE.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    context.log.info("the gate is open")


@dg.op
def prepare() -> None: ...


@dg.op(pool="press", ins={"start": dg.In(dg.Nothing)})
def press(context: dg.OpExecutionContext) -> None:
    wait_for_gate(context)


@dg.job(executor_def=dg.in_process_executor)
def pressing() -> None:
    press(start=prepare())


@dg.op
def hold(context: dg.OpExecutionContext) -> None:
    wait_for_gate(context)


@dg.job(executor_def=dg.in_process_executor)
def holding() -> None:
    hold()


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.1))
def stumble(context: dg.OpExecutionContext) -> int:
    if context.retry_number < 2:
        raise ValueError(f"stumbled at attempt {context.retry_number}")
    return context.retry_number


@dg.job(executor_def=dg.in_process_executor)
def stumbling() -> None:
    stumble()


@dg.op
def begin() -> int:
    return 7


@dg.op
def end_in_a_rerun(context: dg.OpExecutionContext, value: int) -> None:
    if context.run.root_run_id is None:
        raise ValueError("this op fails by design")
    context.log.info(f"ended with {value}")


@dg.job(executor_def=dg.in_process_executor)
def rerun() -> None:
    end_in_a_rerun(begin())


@dg.op(out=dg.DynamicOut(int))
def split() -> Iterator[dg.DynamicOutput[int]]:
    for number in (1, 2, 3):
        yield dg.DynamicOutput(number, mapping_key=f"part_{number}")


@dg.op
def double(value: int) -> int:
    return value * 2


@dg.op
def total(context: dg.OpExecutionContext, values: list[int]) -> None:
    context.log.info(f"total {sum(values)}")


@dg.success_hook
def told(context: dg.HookContext) -> None:
    context.log.info(f"hook after {context.op.name}")


@dg.job(executor_def=dg.multiprocess_executor.configured({"max_concurrent": 2}), hooks={told})
def spreading() -> None:
    total(split().map(double).collect())


class Greeting(dg.Config):
    name: str


@dg.op
def greet(context: dg.OpExecutionContext, config: Greeting) -> None:
    print(f"standard output for {config.name}")
    print(f"standard error for {config.name}", file=sys.stderr)
    context.log.info(f"greeted {config.name} for {context.run.tags.get('team')}")


@dg.job(executor_def=dg.in_process_executor)
def greeting() -> None:
    greet()


defs = dg.Definitions(jobs=[pressing, holding, stumbling, rerun, spreading, greeting])
