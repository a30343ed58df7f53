// A stage with services of every kind, for packets that nobody chose.
import { parseAddress } from '../../src/model/address.ts';
import type { Method, Protocol, Service, Tunnel } from '../../src/model/service.ts';
import { destination, dip, openStage, persistence, rip, type Stage, service, six, vip } from '../kernel/stage.ts';

const methods: readonly Method[] = ['masq', 'gate', 'tunnel', 'fullnat'];
const protocols: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
export const ports: Readonly<Record<Method, number>> = { masq: 80, gate: 81, tunnel: 82, fullnat: 83 };
/** Persistent, full at three, by a narrow tunnel, without real servers, by a tunnel of the other family, without entries. */
export const special = { persistent: 90, full: 91, narrow: 92, empty: 93, other: 94, onePacket: 95 } as const;
/** Services whose real servers take other tunnels than IP in IP, on ports from this one on. */
export const tunnelPort = 100;
export const guePort = 6080;
export const tunnels: readonly Tunnel[] = [
  { type: 'gre', port: 0, checksum: 'none' },
  { type: 'gre', port: 0, checksum: 'full' },
  { type: 'gue', port: guePort, checksum: 'none' },
  { type: 'gue', port: guePort, checksum: 'full' },
];
export const ike = 500;
export const ftp = 21;
export const ftpServer = 2121;
export const sip = 5060;
export const realPort = 8080;
export const families = {
  4: {
    ...{ vip, rip, dip, local: '192.0.2.77', client: '203.0.113.5', mask: '255.255.255.255' },
    /** Every port of one is a service, of the other packets have a mark. */
    ...{ anyPort: '198.51.100.78', marked: '198.51.100.79' },
  },
  6: {
    ...{ vip: six.vip, rip: six.rip, dip: six.dip, local: '2001:db8:b::77', client: six.client },
    ...{ mask: 'ffff:ffff:ffff:ffff::', anyPort: '2001:db8:a::78', marked: '2001:db8:a::79' },
  },
} as const;
const mark = 7;
export type Family = keyof typeof families;

export function openScene(): Stage {
  const stage = openStage({ connections: 8192 });
  stage.install(...([4, 6] as const).flatMap(servicesOf));
  stage.mark(...([4, 6] as const).map((family) => `-d ${families[family].marked} --set-mark ${mark}`));
  return stage;
}

function servicesOf(family: Family): readonly Service[] {
  const { vip, rip, local, mask, anyPort } = families[family];
  const to = (number: number, method: Method, port: number, more = {}): Service['destinations'][number] =>
    destination(number, method, { rip: parseAddress(rip(number)), port, ...more });
  const other = families[family === 4 ? 6 : 4];
  const abroad = destination(4, 'fullnat', { rip: parseAddress(other.rip(4)), port: realPort });
  const servers = (method: Method): Service['destinations'] => [
    ...[1, 2, 3].map((number) => to(number, method, isTranslated(method) ? realPort : ports[method])),
    ...(method === 'fullnat' ? [abroad] : []),
  ];
  const byEach = (port: number): Service['destinations'] => [
    to(1, 'masq', port === 0 ? 0 : realPort),
    to(2, 'gate', port),
    to(3, 'tunnel', port),
  ];
  const own = (port: number, facts: Partial<Service>, protocol: Protocol = 'tcp'): Service => ({
    ...service({ vip, port, protocol }),
    ...facts,
  });
  const sameProtocols = (make: (protocol: Protocol) => Service): readonly Service[] => protocols.map(make);
  return [
    ...methods.flatMap((method) =>
      sameProtocols((protocol) =>
        service({
          ...{ vip, protocol, port: ports[method], destinations: servers(method) },
          localAddresses: method === 'fullnat' ? [local, other.local] : [],
        }),
      ),
    ),
    ...sameProtocols((protocol) =>
      own(special.persistent, { destinations: servers('masq'), persistence: persistence(300, mask) }, protocol),
    ),
    ...sameProtocols((protocol) =>
      own(special.full, { destinations: [to(1, 'gate', special.full, { upperThreshold: 3 })] }, protocol),
    ),
    own(special.narrow, { destinations: [to(9, 'tunnel', special.narrow)] }),
    own(special.narrow, { destinations: [to(9, 'tunnel', special.narrow)] }, 'udp'),
    own(special.empty, {}),
    own(special.other, {
      destinations: [destination(4, 'tunnel', { rip: parseAddress(other.rip(4)), port: special.other })],
    }),
    ...tunnels.flatMap((tunnel, index) =>
      (['tcp', 'udp'] as const).map((protocol) => {
        const port = tunnelPort + index;
        const there = destination(4, 'tunnel', { rip: parseAddress(other.rip(4)), port, tunnel });
        return own(port, { destinations: [to(1, 'tunnel', port, { tunnel }), there] }, protocol);
      }),
    ),
    own(ike, { destinations: [to(2, 'masq', ike)] }, 'udp'),
    own(ftp, { destinations: [to(2, 'masq', ftpServer)] }),
    own(sip, { destinations: servers('masq'), persistence: persistence(300, mask), persistenceEngine: 'sip' }, 'udp'),
    own(special.onePacket, { onePacket: true, destinations: byEach(special.onePacket) }, 'udp'),
    ...sameProtocols((protocol) => ({
      ...service({ vip: anyPort, port: 0, protocol, destinations: byEach(0) }),
      persistence: persistence(300, mask),
    })),
    {
      ...service({ destinations: byEach(0) }),
      identity: { kind: 'mark', mark, family },
      persistence: persistence(300, mask),
    },
  ];
}

function isTranslated(method: Method): boolean {
  return method === 'masq' || method === 'fullnat';
}
