// Services and connections as programs are given them: addresses as text, and no more nesting than a reader needs.
import { formatAddress, formatEndpoint } from './address.ts';
import { type Connection, type Endpoint, type InstalledService, stateLabel } from './director.ts';

export function describeService({
  identity,
  scheduler,
  localAddresses,
  destinations,
  counters,
  rates,
  persistence,
  ...settings
}: InstalledService): object {
  const name =
    identity.kind === 'mark'
      ? { mark: identity.mark, family: identity.family }
      : { protocol: identity.protocol, vip: formatAddress(identity.vip), port: identity.port };
  return {
    ...name,
    scheduler,
    ...settings,
    ...(persistence && { persistence: { ...persistence, mask: formatAddress(persistence.mask) } }),
    ...(localAddresses.length === 0 ? {} : { localAddresses: localAddresses.map(formatAddress) }),
    counters,
    rates,
    destinations: destinations.map(({ rip, ...destination }) => ({ rip: formatAddress(rip), ...destination })),
  };
}

export function describeConnection({ state, client, virtual, local, destination, ...rest }: Connection): object {
  return {
    ...rest,
    state: stateLabel(state),
    client: text(client),
    virtual: text(virtual),
    ...(local && { local: text(local) }),
    destination: text(destination),
  };
}

function text({ address, port }: Endpoint): string {
  return formatEndpoint(address, port);
}
