import { BlockList } from 'node:net';
import type { Address } from '#gateway/base/address.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import type { CidrRange } from '#proto-types/envoy/config/core/v3/address_pb.ts';
import type { TypedExtensionConfig } from '#proto-types/envoy/config/core/v3/extension_pb.ts';
import type { CustomHeaderConfig } from '#proto-types/envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header_pb.ts';
import type { XffConfig } from '#proto-types/envoy/extensions/http/original_ip_detection/xff/v3/xff_pb.ts';
import { addressFromForwardedFor, parseAddress } from './forwarded-for.ts';

/** What a detection found out. */
export interface DetectedAddress {
  /** Null: nothing; the next detection is asked. */
  readonly address: Address | null;
  /** Whether the address may make the request an internal one. */
  readonly trusted: boolean;
  /** Whether the peer's address is not appended to X-Forwarded-For. */
  readonly skipAppend: boolean;
  /** 0, or the status to refuse the request with. */
  readonly rejectStatus: number;
}

/** Finds the address a request really came from. Pure. */
export interface AddressDetection {
  detect(head: RequestHead, peer: Address): DetectedAddress;
}

/** X-Forwarded-For, with so many trusted proxies in front: what Envoy does when it is told nothing. */
export function forwardedForDetection(trustedHops: number, skipAppend: boolean): AddressDetection {
  return {
    detect(head) {
      const { address, single } = addressFromForwardedFor(head.headers.getJoined('x-forwarded-for'), trustedHops);
      return { address, trusted: single && address !== null, skipAppend, rejectStatus: 0 };
    },
  };
}

/** X-Forwarded-For, walked back over addresses of trusted networks. */
function trustedNetworksDetection(networks: BlockList, skipAppend: boolean): AddressDetection {
  const trusts = (address: Address): boolean =>
    address.kind === 'ip' && networks.check(address.host, address.family === 6 ? 'ipv6' : 'ipv4');
  const nothing: DetectedAddress = { address: null, trusted: false, skipAppend, rejectStatus: 0 };
  return {
    detect(head, peer) {
      if (!trusts(peer)) return nothing;
      const entries = (head.headers.getJoined('x-forwarded-for') ?? '').split(',').map((text) => text.trim());
      let found: Address | null = null;
      for (let i = entries.length - 1; i >= 0; i--) {
        const address = parseAddress(entries[i]!);
        if (address === null) break;
        found = address;
        if (!trusts(address)) break;
      }
      return found === null ? nothing : { address: found, trusted: false, skipAppend, rejectStatus: 0 };
    },
  };
}

function customHeaderDetection(name: string, trusted: boolean, rejectStatus: number): AddressDetection {
  return {
    detect(head) {
      const value = head.headers.get(name);
      const address = value === null ? null : parseAddress(value.trim());
      return { address, trusted, skipAppend: true, rejectStatus: address === null ? rejectStatus : 0 };
    },
  };
}

/** Compiles `original_ip_detection_extensions`; problems go to `diagnostics`. */
export function compileAddressDetections(
  extensions: readonly TypedExtensionConfig[],
  diagnostics: Diagnostics,
): readonly AddressDetection[] {
  const detections: AddressDetection[] = [];
  extensions.forEach(({ typedConfig }, i) => {
    const at = diagnostics.at(`original_ip_detection_extensions[${i}].typed_config`);
    if (typedConfig === undefined) {
      at.error('', 'typed_config is required');
      return;
    }
    switch (typeNameOf(typedConfig)) {
      case 'envoy.extensions.http.original_ip_detection.xff.v3.XffConfig': {
        const xff = unpackAny<XffConfig>(typedConfig);
        const skipAppend = xff.skipXffAppend ?? true;
        const cidrs = xff.xffTrustedCidrs?.cidrs ?? [];
        if (cidrs.length > 0 && xff.xffNumTrustedHops > 0)
          at.error('', 'cannot set both xff_num_trusted_hops and xff_trusted_cidrs');
        detections.push(
          cidrs.length > 0
            ? trustedNetworksDetection(networksOf(cidrs, at.at('xff_trusted_cidrs')), skipAppend)
            : forwardedForDetection(xff.xffNumTrustedHops, skipAppend),
        );
        return;
      }
      case 'envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig': {
        const custom = unpackAny<CustomHeaderConfig>(typedConfig);
        const status = custom.rejectWithStatus === undefined ? 0 : custom.rejectWithStatus.code || 403;
        const rejectStatus = status !== 0 && (status < 400 || status > 511) ? 403 : status;
        detections.push(
          customHeaderDetection(
            custom.headerName.toLowerCase(),
            custom.allowExtensionToSetAddressAsTrusted,
            rejectStatus,
          ),
        );
        return;
      }
      default:
        at.error('', `${typeNameOf(typedConfig)} is not supported yet`);
    }
  });
  return detections;
}

/** A set of networks; a range that is none goes to `diagnostics`. */
export function networksOf(ranges: readonly CidrRange[], diagnostics: Diagnostics): BlockList {
  const networks = new BlockList();
  ranges.forEach(({ addressPrefix, prefixLen }, i) => {
    const family = addressPrefix.includes(':') ? 'ipv6' : 'ipv4';
    try {
      networks.addSubnet(addressPrefix, prefixLen ?? 0, family);
    } catch {
      diagnostics.error(`cidr_ranges[${i}]`, `${addressPrefix}/${prefixLen ?? 0} is not a network`);
    }
  });
  return networks;
}
