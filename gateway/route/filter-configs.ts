import type { Any } from '@bufbuild/protobuf/wkt';
import type { ExtensionContext, ServerContext } from '#gateway/api/context.ts';
import type { HttpFilterExtension } from '#gateway/api/extension.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Scope } from '#gateway/stats/stats.ts';
import type { FilterConfig } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';

const FILTER_CONFIG = 'envoy.config.route.v3.FilterConfig';

/** What per-route configuration says about one filter. */
interface FilterSetting {
  /** The filter's own compiled message; null when the setting only switches it off. */
  readonly config: unknown;
  readonly disabled: boolean;
}

/** `typed_per_filter_config` of one place (route table, virtual host, route, weighted cluster), by filter name. */
export type FilterSettings = ReadonlyMap<string, FilterSetting>;

const none: FilterSettings = new Map();

/** Compiles `typed_per_filter_config` messages with the extensions that own them. One for each route table. */
export class FilterSettingsCompiler {
  readonly #server: ServerContext;
  readonly #scope: Scope;
  readonly #byRouteType = new Map<string, HttpFilterExtension>();

  constructor(server: ServerContext, scope: Scope) {
    this.#server = server;
    this.#scope = scope;
    for (const extension of server.extensions.http.values()) {
      if (extension.routeConfigType !== null) this.#byRouteType.set(extension.routeConfigType, extension);
    }
  }

  /** Problems go to `diagnostics`, whose base is the place that holds the map. */
  compile(configs: { readonly [name: string]: Any }, diagnostics: Diagnostics): FilterSettings {
    const names = Object.keys(configs);
    if (names.length === 0) return none;
    const settings = new Map<string, FilterSetting>();
    for (const name of names) {
      const at = diagnostics.at(`typed_per_filter_config["${name}"]`);
      const setting = this.#compileOne(configs[name]!, at);
      if (setting !== null) settings.set(name, setting);
    }
    return settings;
  }

  #compileOne(any: Any, diagnostics: Diagnostics): FilterSetting | null {
    if (typeNameOf(any) !== FILTER_CONFIG) return this.#compileConfig(any, false, diagnostics);
    const wrapper = unpackAny<FilterConfig>(any);
    if (wrapper.disabled) return { config: null, disabled: true };
    if (wrapper.config === undefined) {
      diagnostics.error('config', 'a FilterConfig that does not disable the filter needs a config');
      return null;
    }
    // As Envoy: without a type it only switches the filter on, whichever it is.
    if (wrapper.config.typeUrl === '') return { config: null, disabled: false };
    return this.#compileConfig(wrapper.config, wrapper.isOptional, diagnostics.at('config'));
  }

  #compileConfig(any: Any, optional: boolean, diagnostics: Diagnostics): FilterSetting | null {
    const typeName = typeNameOf(any);
    const extension = this.#byRouteType.get(typeName) ?? this.#server.extensions.http.get(typeName);
    if (extension === undefined || (extension.routeConfigType !== null && extension.routeConfigType !== typeName)) {
      if (!optional) diagnostics.error('', `no HTTP filter takes ${typeName} as its per-route configuration`);
      return null;
    }
    const context: ExtensionContext = { server: this.#server, scope: this.#scope, diagnostics };
    // An empty main message stands for "switch it on here" with filters that have no message of their own for routes.
    if (extension.routeConfigType === null) return { config: null, disabled: false };
    const config = diagnostics.try(() => extension.createRouteConfig(unpackAny(any), context));
    return config === undefined ? null : { config, disabled: false };
  }
}

/** Settings of all levels for one route, most specific first. */
export class ResolvedFilterConfigs {
  readonly #levels: readonly FilterSettings[];

  constructor(levels: readonly FilterSettings[]) {
    this.#levels = levels.filter((level) => level.size > 0);
  }

  /** The most specific configuration, or null. */
  config(name: string): unknown {
    for (let i = 0; i < this.#levels.length; i++) {
      const setting = this.#levels[i]!.get(name);
      if (setting !== undefined && setting.config !== null) return setting.config;
    }
    return null;
  }

  /** All configurations, least specific first. */
  all(name: string): readonly unknown[] {
    const found: unknown[] = [];
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      const setting = this.#levels[i]!.get(name);
      if (setting !== undefined && setting.config !== null) found.push(setting.config);
    }
    return found;
  }

  /** What the most specific setting says about the filter being off; null when none says anything. */
  disabled(name: string): boolean | null {
    for (let i = 0; i < this.#levels.length; i++) {
      const setting = this.#levels[i]!.get(name);
      if (setting !== undefined) return setting.disabled;
    }
    return null;
  }
}
