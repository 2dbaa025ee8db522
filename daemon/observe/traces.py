"""Spans of calls and of their steps for OpenTelemetry, where they are switched on; the library is
optional.

https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from core import steps
from daemon.config import ConfigError


class Tracer(Protocol):
    """A span around a call."""

    def span(self, method: str, metadata: Mapping[str, str]) -> Any: ...


class NoTraces:
    """Costs nothing."""

    def span(self, method: str, metadata: Mapping[str, str]) -> Any:
        return nullcontext()


class OpenTelemetry:
    """Sends spans to an OTLP endpoint (HTTP), or to what a test gives as `exporter`."""

    def __init__(self, endpoint: str, exporter: Any = None) -> None:
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

                exporter = OTLPSpanExporter(endpoint=endpoint)
        except ModuleNotFoundError:
            raise ConfigError(
                "server.traces needs OpenTelemetry: pip install opentelemetry-sdk "
                "opentelemetry-exporter-otlp-proto-http"
            ) from None
        self._provider = TracerProvider(resource=Resource.create({"service.name": "cambistd"}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("cambist")
        steps.record(self.step)

    @contextmanager
    def span(self, method: str, metadata: Mapping[str, str]) -> Iterator[None]:
        """One call; within the caller's span where its metadata names one.
        https://www.w3.org/TR/trace-context/"""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        service, _, name = method.partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        with self._tracer.start_as_current_span(
            method,
            context=TraceContextTextMapPropagator().extract(metadata),
            kind=SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            with _kind_of_error(span):
                yield

    def step(self, name: str, facts: Mapping[str, steps.Fact]) -> AbstractContextManager[object]:
        """A part of a call; what happens outside of calls is not recorded."""
        from opentelemetry import trace

        if not trace.get_current_span().is_recording():
            return nullcontext()
        attributes = {f"cambist.{key}": value for key, value in facts.items()}
        return self._told(name, attributes)

    @contextmanager
    def _told(self, name: str, attributes: Mapping[str, steps.Fact]) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            with _kind_of_error(span):
                yield

    def close(self) -> None:
        """Sends what is left."""
        steps.record(None)
        self._provider.shutdown()


@contextmanager
def _kind_of_error(span: Any) -> Iterator[None]:
    """An error is noted by its reason, never by its words, which may quote a bot."""
    from opentelemetry.trace import Status, StatusCode

    try:
        yield
    except BaseException as error:
        reason = getattr(error, "reason", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR, str(getattr(reason, "value", reason))))
        raise
