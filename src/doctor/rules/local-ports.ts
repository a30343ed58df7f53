// fullnat needs a port of its own for each connection to a real server's port.
import { formatEndpoint } from '../../model/address.ts';
import type { Connection } from '../../model/director.ts';
import type { Problem } from '../problem.ts';
import { serviceOption, type Ward } from '../ward.ts';

const nearly = 0.9;

export function localPorts({ director }: Ward): readonly Problem[] {
  if (director === undefined || director.status.localPorts <= 0) return [];
  const { connections, services, status } = director;
  const groups = new Map<string, Connection[]>();
  for (const one of connections) {
    if (one.local === undefined || one.method !== 'fullnat') continue;
    const key = `${one.protocol} ${one.local.address.bytes.join('.')} ${formatEndpoint(one.destination.address, one.destination.port)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const full = [...groups.values()].filter((group) => group.length >= status.localPorts * nearly);
  return full.flatMap(([first, ...rest]) => {
    const { local, destination, virtual } = first ?? {};
    const service = services.find(
      ({ identity }) =>
        identity.kind === 'address' &&
        identity.vip.bytes.join() === virtual?.address.bytes.join() &&
        identity.port === virtual.port,
    );
    if (local === undefined || destination === undefined || service?.identity.kind !== 'address') return [];
    const [name, dip, vip] = [
      serviceOption(service),
      local.address.bytes.join('.'),
      service.identity.vip.bytes.join('.'),
    ];
    const more = [dip, vip].filter((one) => !service.localAddresses.some(({ bytes }) => bytes.join('.') === one));
    return [
      {
        id: 'local-ports',
        wrong: `the local ports of ${dip} towards ${formatEndpoint(destination.address, destination.port)} are nearly used up`,
        why: 'fullnat: a connection without a port of its own can not be told from another, and is dropped (no-local-port)',
        evidence: `${rest.length + 1} connections, ${status.localPorts} ports`,
        mend: { command: more.map((one) => `ipvsadm --add-laddr -z ${one} ${name}`).join(' && '), isSafe: false },
      },
    ];
  });
}
