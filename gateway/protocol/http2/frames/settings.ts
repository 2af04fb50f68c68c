import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import { ErrorCode } from '../error-code.ts';
import {
  defaultMaxFrameOctets,
  FrameFlag,
  FrameType,
  frameHeadOctets,
  max31Bits,
  readUint32,
  writeFrameHead,
  writeUint32,
} from '../frame.ts';

/** Settings by identifier. RFC 9113 section 6.5.2, RFC 8441 section 3. */
export const Setting = {
  HeaderTableSize: 1,
  EnablePush: 2,
  MaxConcurrentStreams: 3,
  InitialWindowSize: 4,
  MaxFrameSize: 5,
  MaxHeaderListSize: 6,
  EnableConnectProtocol: 8,
} as const;

/** What an endpoint has announced, with the values that hold until it does. */
export class PeerSettings {
  headerTableOctets = 4096;
  enablePush = true;
  /** Infinity until announced. */
  maxConcurrentStreams: number = Number.POSITIVE_INFINITY;
  initialWindowOctets = 65_535;
  maxFrameOctets: number = defaultMaxFrameOctets;
  enableConnectProtocol = false;

  /** Takes over one SETTINGS payload; a code other than `NoError` is a connection error. */
  read(buf: Uint8Array, at: number, length: number, fromServer: boolean): ErrorCode {
    for (let i = at; i < at + length; i += 6) {
      const error = this.#set((buf[i]! << 8) | buf[i + 1]!, readUint32(buf, i + 2), fromServer);
      if (error !== ErrorCode.NoError) return error;
    }
    return ErrorCode.NoError;
  }

  #set(id: number, value: number, fromServer: boolean): ErrorCode {
    switch (id) {
      case Setting.HeaderTableSize:
        this.headerTableOctets = value;
        break;
      case Setting.EnablePush:
        if (value > 1 || (fromServer && value !== 0)) return ErrorCode.ProtocolError;
        this.enablePush = value === 1;
        break;
      case Setting.MaxConcurrentStreams:
        this.maxConcurrentStreams = value;
        break;
      case Setting.InitialWindowSize:
        if (value > max31Bits) return ErrorCode.FlowControlError;
        this.initialWindowOctets = value;
        break;
      case Setting.MaxFrameSize:
        if (value < defaultMaxFrameOctets || value > 0xff_ffff) return ErrorCode.ProtocolError;
        this.maxFrameOctets = value;
        break;
      case Setting.EnableConnectProtocol:
        if (value > 1 || (this.enableConnectProtocol && value === 0)) return ErrorCode.ProtocolError;
        this.enableConnectProtocol = value === 1;
        break;
      default: // unknown settings, and the header list size, which is advice (RFC 9113 section 10.5.1)
    }
    return ErrorCode.NoError;
  }
}

/** Writes SETTINGS with `[identifier, value, ...]`. RFC 9113 section 6.5. */
export function writeSettings(output: OutputBuffer, settings: readonly number[]): void {
  const length = settings.length * 3;
  output.reserve(frameHeadOctets + length);
  writeFrameHead(output.slab, output.end, length, FrameType.Settings, 0, 0);
  let at = output.end + frameHeadOctets;
  for (let i = 0; i < settings.length; i += 2, at += 6) {
    output.slab[at] = settings[i]! >>> 8;
    output.slab[at + 1] = settings[i]!;
    writeUint32(output.slab, at + 2, settings[i + 1]!);
  }
  output.advance(frameHeadOctets + length);
}

/** Writes the acknowledgement of the peer's SETTINGS. */
export function writeSettingsAck(output: OutputBuffer): void {
  output.reserve(frameHeadOctets);
  writeFrameHead(output.slab, output.end, 0, FrameType.Settings, FrameFlag.Ack, 0);
  output.advance(frameHeadOctets);
}
