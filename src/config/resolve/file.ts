// A whole configuration with each default in its place.
import { formatAddress } from '../../model/address.ts';
import {
  type Api,
  type Declared,
  type DeclaredService,
  defaultMostDestinations,
  defaultSocketPath,
  type HeldAddress,
  type Metrics,
} from '../../model/declared.ts';
import type { Timeouts } from '../../model/director.ts';
import type { Settings } from '../../model/settings.ts';
import type { Path } from '../problem.ts';
import type { Declares } from '../remembered.ts';
import type { WrittenFile } from '../schema/file.ts';
import { resolveMarkRule } from './marks.ts';
import type { Problems } from './problems.ts';
import { enter, type Known, resolveService } from './services.ts';

/** `services`: of resolveServices. */
export function resolveFile(written: WrittenFile, services: readonly Declares[], problems: Problems): Declared {
  return {
    services: flat(services),
    markRules: (written.marks ?? []).flatMap((rule, index) => resolveMarkRule(rule, ['marks', index], problems) ?? []),
    addresses: resolveAddresses(written.addresses ?? {}, problems),
    settings: given(written.settings ?? {}) as Partial<Settings>,
    timeouts: resolveTimeouts(written.timeouts),
    api: resolveApi(written.api, problems),
    metrics: resolveMetrics(written.metrics),
    log: { level: written.log?.level ?? 'info' },
  };
}

/** A twentieth of what Array's own takes, for there may be 10,000. */
function flat(services: readonly Declares[]): Declares {
  const all: DeclaredService[] = [];
  for (const declares of services) for (const service of declares) all.push(service);
  return all;
}

/** By entry. `known`: what entries of the whole file declare, undefined for each of those that are in `written`; absent: all are. */
export function resolveServices(
  { services = [], defaults = {} }: WrittenFile,
  problems: Problems,
  known: readonly (Declares | undefined)[] = services.map(() => undefined),
): readonly Declares[] {
  const places: Known = new Map();
  let next = 0;
  return known.map((declares, index) => {
    const path = ['services', index];
    if (declares === undefined) return resolveService(services[next++] ?? {}, defaults, path, places, problems);
    for (const { identity } of declares) enter(identity, path, places, problems);
    return declares;
  });
}

function given(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function resolveAddresses(written: NonNullable<WrittenFile['addresses']>, problems: Problems): readonly HeldAddress[] {
  const known = new Map<string, Path>();
  return Object.entries(written).flatMap(([name, prefixes]) =>
    prefixes.flatMap(({ address, length }, index) => {
      const path = ['addresses', name, index];
      const before = known.get(formatAddress(address));
      if (before !== undefined) problems.again(path, before, `${formatAddress(address)} is there twice`);
      known.set(formatAddress(address), path);
      return [{ interface: name, address, prefixLength: length }];
    }),
  );
}

function resolveTimeouts(written: WrittenFile['timeouts']): Partial<Timeouts> {
  return given({ tcp: written?.tcp, tcpFin: written?.tcp_fin, udp: written?.udp });
}

function resolveApi(written: WrittenFile['api'], problems: Problems): Api {
  const { listen, tls, tokens = [] } = written ?? {};
  const isLoopback =
    listen?.address.family === 4 ? listen.address.bytes[0] === 127 : listen && isSixLoopback(listen.address.bytes);
  if (listen !== undefined && tls === undefined && !isLoopback)
    problems.add(
      ['api', 'listen'],
      `expected tls beside it, for ${formatAddress(listen.address)} is no loopback address`,
    );
  if (listen === undefined && tls !== undefined) problems.add(['api', 'tls'], 'expected listen beside it');
  if (listen !== undefined && tokens.length === 0)
    problems.add(['api', 'listen'], 'expected tokens beside it: by TCP everybody needs one');
  const names = new Map<string, number>();
  for (const [index, { name }] of tokens.entries()) {
    const before = names.get(name);
    if (before !== undefined)
      problems.again(['api', 'tokens', index], ['api', 'tokens', before], `the token ${name} is there twice`);
    names.set(name, index);
  }
  return {
    socket: { path: written?.socket?.path ?? defaultSocketPath, group: written?.socket?.group },
    listen: listen && {
      ...listen,
      tls: tls && {
        certificate: tls.certificate,
        key: tls.key,
        ...(tls.client_ca !== undefined && { clientAuthorities: tls.client_ca }),
      },
    },
    tokens,
  };
}

function isSixLoopback(bytes: readonly number[]): boolean {
  return bytes.at(-1) === 1 && bytes.slice(0, -1).every((byte) => byte === 0);
}

function resolveMetrics(written: WrittenFile['metrics']): Metrics | undefined {
  if (written === undefined) return undefined;
  const { listen, path = '/metrics', destinations = defaultMostDestinations } = written;
  return { ...listen, path, mostDestinations: destinations };
}
