// A table of services as a configuration declares it: what is read again is the same table.
import { formatAddress, formatEndpoint } from '../../model/address.ts';
import { prefixLength } from '../../model/mark.ts';
import type { Destination, Persistence, Service, Table } from '../../model/service.ts';
import type { Draft } from './draft.ts';

/** Without health checks, for a table has none. */
export function writeTable({ services }: Table): Draft {
  return { defaults: { checks: 'none' }, services: services.map(writeService) };
}

function writeService(service: Service): Draft {
  const { identity, scheduler, schedulerFlags, persistence, persistenceEngine, onePacket, mssClamp, uoa } = service;
  return {
    ...(identity.kind === 'mark'
      ? { mark: identity.mark, ...(identity.family === 6 && { family: 'ipv6' }) }
      : { [identity.protocol]: formatEndpoint(identity.vip, identity.port) }),
    ...(scheduler !== 'wlc' && { scheduler }),
    ...(schedulerFlags?.length && { scheduler_flags: schedulerFlags }),
    ...(persistence && { persistence: writePersistence(persistence, persistenceEngine) }),
    ...(onePacket && { one_packet: true }),
    ...(mssClamp !== undefined && { mss_clamp: mssClamp }),
    ...(uoa !== undefined && { uoa }),
    ...(service.localAddresses.length > 0 && { local_addresses: service.localAddresses.map(formatAddress) }),
    // In the order in which they were added.
    destinations: service.destinations.toReversed().map((destination) => writeDestination(destination, service)),
  };
}

function writePersistence({ timeoutS, mask }: Persistence, engine: string | undefined): unknown {
  const timeout = `${timeoutS}s`;
  const length = prefixLength(mask);
  const isWhole = length === mask.bytes.length * 8;
  if (isWhole && engine === undefined) return timeout;
  return {
    timeout,
    ...(!isWhole && { mask: length === undefined || length === 0 ? formatAddress(mask) : length }),
    ...(engine !== undefined && { engine }),
  };
}

function writeDestination(destination: Destination, { identity }: Service): unknown {
  const { rip, port, method, weight, upperThreshold, lowerThreshold, tunnel } = destination;
  const isServicePort = port === (identity.kind === 'mark' ? 0 : identity.port);
  const address = isServicePort ? formatAddress(rip) : formatEndpoint(rip, port);
  const rest = {
    ...(method !== 'masq' && { method }),
    ...(weight !== 1 && { weight }),
    ...(upperThreshold && { upper_threshold: upperThreshold }),
    ...(lowerThreshold && { lower_threshold: lowerThreshold }),
    ...(tunnel && { tunnel: writeTunnel(tunnel) }),
  };
  return Object.keys(rest).length === 0 ? address : { rip: address, ...rest };
}

function writeTunnel({ type, port, checksum }: NonNullable<Destination['tunnel']>): unknown {
  if (type !== 'gue' && checksum === 'none') return type;
  return { type, ...(type === 'gue' && { port }), ...(checksum !== 'none' && { checksum }) };
}
