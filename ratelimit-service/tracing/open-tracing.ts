import { randomUUID } from 'node:crypto';
import type { BatchSpanProcessorOptions, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '#gateway/base/log.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { TracingSettings } from '../config/settings-tracing.ts';
import { OtelTracing, type TracedStore } from './otel-tracing.ts';
import type { Tracing } from './tracing.ts';

/**
 * Loads OpenTelemetry and makes spans with it: sent by OTLP as OTEL_EXPORTER_OTLP_* say, as part of the caller's (W3C, B3 and
 * baggage headers), sampled with their parent or else at TRACING_SAMPLING_RATE. Null when tracing is off: nothing is loaded.
 */
export async function openTracing(
  settings: TracingSettings,
  store: TracedStore,
  world: { readonly timers: Timers; readonly log: Logger },
): Promise<Tracing | null> {
  if (!settings.TRACING_ENABLED) return null;
  const [api, core, b3, resources, sdk, exporter] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/propagator-b3'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace'),
    openExporter(settings.TRACING_EXPORTER_PROTOCOL),
  ]);
  const { log } = world;
  const told = (message: string): void => log.warning(`tracing: ${message}`);
  const quiet = (): void => {};
  api.diag.setLogger(
    { error: told, warn: told, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const instance = settings.TRACING_SERVICE_INSTANCE_ID === '' ? randomUUID() : settings.TRACING_SERVICE_INSTANCE_ID;
  const provider = new sdk.TracerProvider({
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(settings.TRACING_SAMPLING_RATE) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter, ...batchOptions(core.getNumberFromEnv) })],
    resource: resources.detectResources({ detectors: [resources.envDetector] }).merge(
      resources.resourceFromAttributes({
        'service.name': settings.TRACING_SERVICE_NAME,
        'service.namespace': settings.TRACING_SERVICE_NAMESPACE,
        'service.instance.id': instance,
      }),
    ),
  });
  const propagator = new core.CompositePropagator({
    propagators: [new core.W3CTraceContextPropagator(), new b3.B3Propagator(), new core.W3CBaggagePropagator()],
  });
  const { TRACING_SERVICE_NAME: name, TRACING_SERVICE_NAMESPACE: namespace, TRACING_SAMPLING_RATE: rate } = settings;
  log.info(`tracing: service ${name}, namespace '${namespace}', instance ${instance}, sampling rate ${rate}`);
  return new OtelTracing({ api, provider, propagator }, store, world.timers);
}

/** The variables of OpenTelemetry's specification, which this version of its package leaves to its user. */
function batchOptions(read: (name: string) => number | undefined): Partial<BatchSpanProcessorOptions> {
  const option = <Name extends string>(name: Name, variable: string): Partial<Record<Name, number>> => {
    const value = read(variable);
    return value === undefined ? {} : ({ [name]: value } as Record<Name, number>);
  };
  return {
    ...option('scheduledDelayMillis', 'OTEL_BSP_SCHEDULE_DELAY'),
    ...option('exportTimeoutMillis', 'OTEL_BSP_EXPORT_TIMEOUT'),
    ...option('maxQueueSize', 'OTEL_BSP_MAX_QUEUE_SIZE'),
    ...option('maxExportBatchSize', 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE'),
  };
}

async function openExporter(protocol: string): Promise<SpanExporter> {
  if (protocol === 'grpc') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
    return new OTLPTraceExporter();
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}
