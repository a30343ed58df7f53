// How all that is declared stands, as /v1/status tells it.
import type { Daemon } from '../control/daemon.ts';
import type { InstalledDestination, InstalledService } from '../model/director.ts';
import { destinationKey, serviceKey } from '../model/table.ts';
import type { DestinationStatus, ServiceStatus, StatusAnswer } from './contract.ts';

export function toStatus(daemon: Daemon, services: readonly InstalledService[]): StatusAnswer {
  const present = new Map(services.map((service) => [serviceKey(service.identity), service]));
  return {
    services: daemon.declared.services.map((declared): ServiceStatus => {
      const { identity, scheduler, quorum, sorryServer, onFailure, onRemove, slowStartMs, destinations } = declared;
      const service = serviceKey(identity);
      const own = new Map(present.get(service)?.destinations.map((one) => [destinationKey(one), one]));
      return {
        service,
        scheduler,
        isQuorumLost: daemon.isQuorumLost(service),
        ...{ quorum, onFailure, onRemove, slowStartMs },
        ...(sorryServer && { sorryServer: destinationKey(sorryServer) }),
        destinations: destinations.map((one) => {
          const destination = destinationKey(one);
          return toDestinationStatus(daemon, service, destination, one.weight, own.get(destination));
        }),
      };
    }),
  };
}

function toDestinationStatus(
  daemon: Daemon,
  service: string,
  destination: string,
  declaredWeight: number,
  present: InstalledDestination | undefined,
): DestinationStatus {
  const subject = `${service} ${destination}`;
  const { isUp = true, reason } = daemon.standing(subject) ?? {};
  const override = daemon.overrides().get(subject);
  return {
    destination,
    isUp,
    ...(reason !== undefined && { reason }),
    ...(present && { weight: present.weight }),
    declaredWeight,
    activeConnections: present?.activeConnections ?? 0,
    inactiveConnections: present?.inactiveConnections ?? 0,
    ...(override && { override }),
    checks: daemon.checks(subject).map(({ durationMs, ...check }) => ({
      ...check,
      ...(durationMs !== undefined && { durationMs }),
    })),
  };
}
