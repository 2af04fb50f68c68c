import { type Message, toJson } from '@bufbuild/protobuf';
import type { ServerState } from '#gateway/admin/admin-services.ts';
import { accessLogExtensions } from '#gateway/extensions/access-log/index.ts';
import { createMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { tlsLibrary } from '#gateway/runtime/process.ts';
import type { Bootstrap } from '#proto-types/envoy/config/bootstrap/v3/bootstrap_pb.ts';
import type { Node } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { createExtensionRegistry } from './extension-registry.ts';
import type { ServerOptions } from './options.ts';
import { envoyVersion, sluiceVersion } from './version.ts';

/** Node as the bootstrap and the command line make it, with what the gateway says of itself. */
export function nodeMessage(bootstrap: Bootstrap, options: ServerOptions): Node {
  const { node } = bootstrap;
  const { major, minor, patch } = envoyVersion;
  const zone = options.serviceZone;
  const locality = zone === '' ? node?.locality : { ...fieldsOf(node?.locality), zone };
  return createMessage<Node>('envoy.config.core.v3.Node', {
    ...fieldsOf(node),
    id: options.serviceNode === '' ? (node?.id ?? '') : options.serviceNode,
    cluster: options.serviceCluster === '' ? (node?.cluster ?? '') : options.serviceCluster,
    ...(locality === undefined ? {} : { locality }),
    // Control planes tell their clients' abilities by these.
    userAgentName: node?.userAgentName === undefined || node.userAgentName === '' ? 'envoy' : node.userAgentName,
    userAgentVersionType: {
      case: 'userAgentBuildVersion',
      value: {
        version: { majorNumber: major, minorNumber: minor, patch },
        metadata: {
          'revision.sha': `sluice-${sluiceVersion}`,
          'revision.status': 'Clean',
          'build.type': 'RELEASE',
          'ssl.version': tlsLibrary(),
        },
      },
    },
    extensions: extensionList(),
  } as object);
}

/** A message's fields without its type, which would make what is built from them pass for a finished message. */
function fieldsOf<T extends Message>(message: T | undefined): object {
  const { $typeName: _, ...fields } = message ?? { $typeName: '' };
  return fields;
}

/** All extensions by category, as envoy.config.core.v3.Extension. */
function extensionList(): readonly object[] {
  const { http, network, listener } = createExtensionRegistry();
  const list = (
    category: string,
    extensions: Iterable<{ readonly name: string; readonly configType: string }>,
  ): object[] => [...extensions].map(({ name, configType }) => ({ name, category, typeUrls: [configType] }));
  return [
    ...list('envoy.access_loggers', accessLogExtensions),
    ...list('envoy.filters.http', http.values()),
    ...list('envoy.filters.listener', listener.values()),
    ...list('envoy.filters.network', network.values()),
  ];
}

const seconds = (ms: number): string => `${Math.floor(ms / 1000)}s`;

/** envoy.admin.v3.ServerInfo in Envoy's field names, defaults included. */
export function serverInfo(
  bootstrap: Bootstrap,
  options: ServerOptions,
  state: ServerState,
  uptimeMs: number,
): { readonly [field: string]: unknown } {
  const uptime = seconds(uptimeMs);
  return {
    version: `sluice/${sluiceVersion}`,
    state,
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
    hot_restart_version: 'disabled',
    command_line_options: commandLine(options),
    node: toJson(messageSchema('envoy.config.core.v3.Node'), nodeMessage(bootstrap, options), {
      registry: protoRegistry(),
      useProtoFieldName: true,
      alwaysEmitImplicit: true,
    }),
    hot_restart_initializing: false,
  };
}

function commandLine(options: ServerOptions): { readonly [field: string]: unknown } {
  return {
    base_id: String(options.baseId),
    concurrency: options.concurrency,
    config_path: options.configPath,
    config_yaml: options.configYaml,
    allow_unknown_static_fields: false,
    admin_address_path: options.adminAddressPath,
    local_address_ip_version: options.localAddressIpVersion,
    log_level: options.logLevel,
    component_log_level: options.componentLogLevelText,
    log_format: options.logFormat,
    log_path: options.logPath,
    service_cluster: options.serviceCluster,
    service_node: options.serviceNode,
    service_zone: options.serviceZone,
    file_flush_interval: `${options.fileFlushIntervalMs / 1000}s`,
    drain_time: seconds(options.drainTimeMs),
    parent_shutdown_time: seconds(options.parentShutdownTimeMs),
    mode: options.mode === 'serve' ? 'Serve' : 'Validate',
    disable_hot_restart: true,
    enable_mutex_tracing: false,
    restart_epoch: 0,
    cpuset_threads: false,
    reject_unknown_dynamic_fields: false,
    log_format_escaped: options.logFormatEscaped,
    disabled_extensions: [],
    ignore_unknown_dynamic_fields: false,
    use_dynamic_base_id: false,
    base_id_path: options.baseIdPath,
    drain_strategy: options.drainStrategy === 'gradual' ? 'Gradual' : 'Immediate',
    enable_fine_grain_logging: false,
    socket_path: '@envoy_domain_socket',
    socket_mode: 0,
    enable_core_dump: false,
    stats_tag: options.statsTags.map(({ name, value }) => `${name}:${value}`),
    skip_hot_restart_on_no_parent: false,
    skip_hot_restart_parent_stats: false,
    skip_deprecated_logs: false,
    file_flush_min_size: options.fileFlushMinOctets,
    log_stacktrace_single_entry: false,
  };
}
