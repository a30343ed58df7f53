// How services and their destinations are written.
import { z } from 'zod';
import { onFailures } from '../../model/declared.ts';
import { methods, mssRange, onRemoves, persistenceEngines, schedulers, uoaModes } from '../../model/service.ts';
import { checkSettings, checks } from './checks.ts';
import {
  address,
  anyPort,
  choice,
  command,
  duration,
  integer,
  longestMs,
  mark,
  oneOrMore,
  persistenceMask,
  port,
  realEndpoint,
  seconds,
  threshold,
  truth,
  virtualEndpoint,
  weight,
} from './scalars.ts';

const longestPersistenceS = longestMs / 1000;
const flags = ['sh-fallback', 'sh-port', 'mh-fallback', 'mh-port', 'flag-1', 'flag-2', 'flag-3'] as const;

const method = choice(methods).meta({
  description: 'LVS-NAT (the default), LVS-DR, LVS-TUN or LVS-FULLNAT',
});

const tunnel = z
  .union([
    choice(['ipip', 'gre', 'gue']).transform((type) => ({ type })),
    z.strictObject({
      type: choice(['ipip', 'gre', 'gue']),
      port: port.optional().meta({ description: "GUE's UDP port; 6080 by default" }),
      checksum: choice(['none', 'full', 'remote']).optional(),
    }),
  ])
  .meta({ description: 'how packets of method tunnel are wrapped; ipip by default' });

const persistence = z
  .union([
    seconds(1, longestPersistenceS).transform((timeout) => ({ timeout })),
    z.strictObject({
      timeout: seconds(1, longestPersistenceS).optional().meta({ description: '300s by default' }),
      mask: persistenceMask.optional(),
      engine: choice(persistenceEngines).optional(),
    }),
  ])
  .meta({ description: 'connections of one client go to one real server: for so long after the last one' });

const notifyOne = { up: command.optional(), down: command.optional() };
const notify = z
  .strictObject({ ...notifyOne, quorum_up: command.optional(), quorum_down: command.optional() })
  .meta({ description: 'programs to run when something has changed' });

/** What a destination may say, and the service for all of its own. */
const forwarding = {
  method: method.optional(),
  weight: weight.optional().meta({ description: '1 by default; 0 quiesces: no new connections' }),
  upper_threshold: threshold.optional().meta({ description: 'from so many connections on it gets no new ones' }),
  lower_threshold: threshold.optional().meta({ description: 'below so many it gets new ones again' }),
  tunnel: tunnel.optional(),
};

const onFailure = choice(onFailures).meta({
  description: 'what becomes of a destination that is down; remove by default',
});

const destinationObject = z
  .strictObject({
    rip: realEndpoint,
    port: anyPort.optional(),
    ...forwarding,
    checks: checks.optional(),
    on_failure: onFailure.optional(),
    notify: z.strictObject(notifyOne).optional(),
  })
  .meta({ id: 'destination' });
export type WrittenDestination = z.output<typeof destinationObject>;

const destination = z.union([realEndpoint.transform((rip): WrittenDestination => ({ rip })), destinationObject]);

const sorryServer = z
  .union([
    realEndpoint.transform(
      (rip): Pick<WrittenDestination, 'rip' | 'port' | 'method' | 'weight' | 'tunnel'> => ({ rip }),
    ),
    z.strictObject({
      rip: realEndpoint,
      port: anyPort.optional(),
      method: method.optional(),
      weight: weight.optional(),
      tunnel: tunnel.optional(),
    }),
  ])
  .meta({ description: 'takes the place of all destinations while the quorum is lost' });

const quorum = z
  .union([
    integer('a sum of weights', 1, 2 ** 31 - 1).transform((sum) => ({ weight: sum })),
    z.strictObject({
      weight: integer('a sum of weights', 1, 2 ** 31 - 1).optional(),
      hysteresis: integer('a sum of weights', 0, 2 ** 31 - 1).optional(),
    }),
  ])
  .meta({ description: 'the least sum of weights of destinations that are up; 1 by default' });

/** What a service may say, and `defaults` for all of them. */
const common = {
  scheduler: choice(schedulers).optional().meta({ description: 'wlc by default' }),
  scheduler_flags: z.array(choice(flags)).optional(),
  persistence: persistence.optional(),
  ...forwarding,
  checks: checks.optional(),
  on_failure: onFailure.optional(),
  on_remove: choice(onRemoves)
    .optional()
    .meta({ description: 'what becomes of the connections of a destination that goes; keep by default, as in IPVS' }),
  quorum: quorum.optional(),
  slow_start: duration(0, longestMs)
    .optional()
    .meta({ description: 'a destination that comes back reaches its weight after so long' }),
  notify: notify.optional(),
};

const names = ['tcp', 'udp', 'sctp', 'mark'] as const;

export const service = z
  .strictObject({
    tcp: oneOrMore(virtualEndpoint).optional().meta({ description: 'VIP:PORT, or several for as many services' }),
    udp: oneOrMore(virtualEndpoint).optional().meta({ description: 'VIP:PORT, or several for as many services' }),
    sctp: oneOrMore(virtualEndpoint).optional().meta({ description: 'VIP:PORT, or several for as many services' }),
    mark: mark.optional().meta({ description: 'of packets that have this mark: see marks' }),
    family: choice(['ipv4', 'ipv6']).optional().meta({ description: "of a mark's packets; ipv4 by default" }),
    ...common,
    one_packet: truth.optional().meta({ description: 'each datagram is scheduled by itself' }),
    mss_clamp: z
      .union([z.literal('path'), integer('path or a number of bytes', mssRange.least, mssRange.most)], {
        error: `expected path or a number of bytes from ${mssRange.least} to ${mssRange.most}`,
      })
      .optional()
      .meta({ description: 'SYNs tell no larger segments: than fit the path to the real server, or of so many bytes' }),
    uoa: choice(uoaModes).optional().meta({
      description: "fullnat's datagrams tell real servers the client: in an option of IPv4 (ipo), or in a header (opp)",
    }),
    local_addresses: oneOrMore(address).optional().meta({ description: "fullnat's source addresses" }),
    destinations: z.array(destination).optional(),
    sorry_server: sorryServer.optional(),
  })
  .refine((one) => names.filter((name) => one[name] !== undefined).length === 1, {
    error: 'expected just one of tcp, udp, sctp and mark',
  })
  .refine((one) => one.family === undefined || one.mark !== undefined, {
    error: 'expected family only beside mark: a VIP tells its own',
    path: ['family'],
  })
  .meta({ id: 'service' });
export type WrittenService = z.output<typeof service>;

export const defaults = z
  .strictObject({ ...common, check: checkSettings.optional() })
  .meta({ description: 'what services have that say nothing else' });
export type WrittenDefaults = z.output<typeof defaults>;
