"""What an operator watches: metrics for Prometheus, traces for OpenTelemetry."""
