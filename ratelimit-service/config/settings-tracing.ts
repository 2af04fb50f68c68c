import { boolean, decimal, type EnvironmentShape, text } from './environment-values.ts';

/** Spans by OpenTelemetry. OTEL_EXPORTER_OTLP_* and OTEL_BSP_* are read by its own packages. */
export interface TracingSettings {
  readonly TRACING_ENABLED: boolean;
  readonly TRACING_EXPORTER_PROTOCOL: string;
  readonly TRACING_SERVICE_NAME: string;
  readonly TRACING_SERVICE_NAMESPACE: string;
  /** Empty: a random one. */
  readonly TRACING_SERVICE_INSTANCE_ID: string;
  readonly TRACING_SAMPLING_RATE: number;
}

/** @see TracingSettings */
export const tracingShape: EnvironmentShape<TracingSettings> = {
  TRACING_ENABLED: boolean(false),
  TRACING_EXPORTER_PROTOCOL: text('http'),
  TRACING_SERVICE_NAME: text('RateLimit'),
  TRACING_SERVICE_NAMESPACE: text(''),
  TRACING_SERVICE_INSTANCE_ID: text(''),
  TRACING_SAMPLING_RATE: decimal(1, 0),
};

/** What is wrong with values that are each well formed. */
export function tracingProblems(settings: TracingSettings): string[] {
  const protocol = settings.TRACING_EXPORTER_PROTOCOL;
  if (!settings.TRACING_ENABLED || ['http', 'grpc', ''].includes(protocol)) return [];
  return [`TRACING_EXPORTER_PROTOCOL=${protocol} Invalid otlptrace client protocol: ${protocol}; it is http or grpc`];
}
