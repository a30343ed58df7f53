// Which local ports fullnat may use: those that the director's own sockets don't.
import { readSysctl } from '../kernel/sysctl.ts';

/** struct instance: from low to high, without the reserved ones. */
export interface LocalPorts {
  readonly port_low: number;
  readonly port_high: number;
  readonly reserved_low: number;
  readonly reserved_high: number;
}

const low = 1024;
const high = 65535;
/** With fewer than these left, the host has claimed everything for itself: fullnat then shares its ports. */
const enough = 4096;

export function readLocalPorts(): LocalPorts {
  const [first = low, last = high] = readSysctl('net.ipv4.ip_local_port_range').split(/\s+/).map(Number);
  return localPorts(first, last);
}

export function localPorts(first: number, last: number): LocalPorts {
  const reserved = { reserved_low: Math.max(first, low), reserved_high: Math.min(last, high) };
  const left = high - low - (reserved.reserved_high - reserved.reserved_low);
  const isReserved = reserved.reserved_low <= reserved.reserved_high && left >= enough;
  return {
    port_low: low,
    port_high: high,
    ...(isReserved ? reserved : { reserved_low: high + 1, reserved_high: high }),
  };
}
