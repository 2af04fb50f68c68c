import { Setting } from './frames/settings.ts';
import type { Http2Options } from './options.ts';

/** What this side announces, `[identifier, value, ...]`, in the order in which Envoy does. */
export function localSettings(options: Http2Options, server: boolean): readonly number[] {
  const settings: number[] = [];
  if (!server) settings.push(Setting.EnablePush, 0);
  settings.push(
    Setting.HeaderTableSize,
    options.hpackTableOctets,
    Setting.EnableConnectProtocol,
    options.allowConnect ? 1 : 0,
    Setting.MaxConcurrentStreams,
    options.maxConcurrentStreams,
    Setting.InitialWindowSize,
    options.initialStreamWindowOctets,
  );
  return settings;
}
