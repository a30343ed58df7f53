// Which probes a configuration asks for, and by which of them each destination is judged.
import { createHash } from 'node:crypto';
import { type ProbePath, pathKey } from '../dataplane/probe-paths.ts';
import type { Policy, Probe } from '../health/monitor.ts';
import type { Target } from '../health/target.ts';
import { type Address, formatAddress } from '../model/address.ts';
import type { Check } from '../model/check.ts';
import type { DeclaredDestination, DeclaredService } from '../model/declared.ts';
import { destinationSubject } from '../model/table.ts';

export interface Probes {
  readonly byKey: ReadonlyMap<string, Probe>;
  /** destinationSubject's text -> keys of the probes that must all find it well. */
  readonly ofDestination: ReadonlyMap<string, readonly string[]>;
}

/** Whether an address is one of this host's own: then it is asked directly, for no packet to it leaves. */
export type IsOwn = (address: Address) => boolean;

/** What there must be addresses for. */
export function probePaths(services: readonly DeclaredService[], isOwn: IsOwn): readonly ProbePath[] {
  const paths = services.flatMap((service) =>
    service.destinations.flatMap((destination) =>
      destination.checks.flatMap((check) => pathOf(service, destination, check, isOwn) ?? []),
    ),
  );
  return [...new Map(paths.map((path) => [pathKey(path), path])).values()];
}

/** Those that ask the same of the same are one. `addresses`: of the paths, by their keys. */
export function toProbes(
  services: readonly DeclaredService[],
  addresses: ReadonlyMap<string, Address>,
  isOwn: IsOwn,
): Probes {
  const byKey = new Map<string, Probe>();
  const ofDestination = new Map<string, readonly string[]>();
  for (const service of services) {
    for (const destination of service.destinations) {
      const keys = destination.checks.filter(isProbed).map((check) => {
        const path = pathOf(service, destination, check, isOwn);
        const target = toTarget(service, destination, check, path && addresses.get(pathKey(path)));
        const { target: _, ...policy } = check;
        const key = probeKey(target, policy, path);
        byKey.set(key, { target, check: policy });
        return key;
      });
      ofDestination.set(destinationSubject(service.identity, destination), keys);
    }
  }
  return { byKey, ofDestination };
}

/** Passive checks are none. */
function isProbed({ checker }: Check): boolean {
  return checker.kind !== 'passive';
}

/** undefined: it is asked directly. */
function pathOf(
  { identity }: DeclaredService,
  { rip, method, tunnel }: DeclaredDestination,
  { checker, target }: Check,
  isOwn: IsOwn,
): ProbePath | undefined {
  if (target.path === 'direct' || identity.kind === 'mark' || isOwn(rip)) return undefined;
  if (checker.kind === 'agent' || checker.kind === 'passive') return undefined;
  if (method !== 'gate' && method !== 'tunnel') return undefined;
  return { vip: identity.vip, rip, method, ...(tunnel && { tunnel }) };
}

function toTarget(
  { identity }: DeclaredService,
  { rip, port, method }: DeclaredDestination,
  { target }: Check,
  path: Address | undefined,
): Target {
  const isTranslated = method === 'masq' || method === 'fullnat';
  const service = identity.kind === 'address' ? { vip: identity.vip, vport: identity.port } : undefined;
  return {
    address: path ?? target.address ?? rip,
    // Real servers of gate and tunnel are asked for the service's own port, whatever is written beside them.
    port: target.port ?? (isTranslated ? port : (service?.vport ?? port)),
    rip,
    ...service,
    // The program at the probe addresses chooses the source.
    ...(target.source && path === undefined && { source: target.source }),
    ...(target.mark !== undefined && { mark: target.mark }),
  };
}

/** The same from one run of the daemon to the next, which the address of a path is not. */
function probeKey(target: Target, policy: Policy, path: ProbePath | undefined): string {
  const { vip, vport, ...rest } = target;
  const tells = ['exec', 'http', 'https'].includes(policy.checker.kind); // who is told, or asked for, the service
  const whom = path === undefined ? rest : { ...rest, address: pathKey(path) };
  const text = JSON.stringify([whom, tells ? [vip, vport] : [], policy], (_, value: unknown) =>
    isAddress(value) ? formatAddress(value) : value,
  );
  return createHash('sha256').update(text).digest('base64url');
}

function isAddress(value: unknown): value is Address {
  return typeof value === 'object' && value !== null && 'bytes' in value && 'family' in value;
}
