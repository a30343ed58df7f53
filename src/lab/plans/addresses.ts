// The addresses that the four plans have in common. Documentation networks (RFC 5737) stand for public ones.
import type { Host, Listen, Segment, VirtualService } from '../plan.ts';

export const vip = '203.0.113.100';
export const httpPort = 80;
export const udpPort = 9000;
/** Where a real server listens when its director maps ports, and for its own administrator when it does not. */
export const realHttpPort = 8080;
export const realUdpPort = 9001;
/** A proof service with real server N alone has the VIP's port proofPort + N. */
export const proofPort = 8100;
/** A service that asks for port mapping where there is none. */
export const mappedPort = 8200;

export const realServers = ['rs1', 'rs2', 'rs3'] as const;

export const clientSegment: Segment = { name: 'clients', network: '198.51.100.0/24' };
export const vipSegment: Segment = { name: 'services', network: '203.0.113.0/24' };
export const farSegment: Segment = { name: 'far', network: '192.0.2.0/24' };

export const clientAddress = '198.51.100.10';
export const directorAddress = '203.0.113.10';
export const routerAddress = { clients: '198.51.100.1', services: '203.0.113.1', far: '192.0.2.1' } as const;

export const client: Host = {
  name: 'client',
  legs: [{ segment: 'clients', address: clientAddress }],
  gateway: routerAddress.clients,
  note: 'CIP',
};

export const router: Host = {
  name: 'router',
  legs: [
    { segment: 'clients', address: routerAddress.clients },
    { segment: 'services', address: routerAddress.services },
    { segment: 'far', address: routerAddress.far },
  ],
  // A packet that leaves the way it came (dr-5) would bring a redirect into the captures.
  settings: { ip_forward: '1', 'conf/all/send_redirects': '0' },
  note: 'forwards between the networks',
};

/** Any address will do for a server to listen on. */
export const anywhere = '0.0.0.0';

export function http(port: number): Listen {
  return { protocol: 'tcp', address: anywhere, port };
}

export function proofService(realServer: string, realPort?: number): VirtualService {
  const port = proofPort + Number(realServer.slice(2));
  return { protocol: 'tcp', port, realServers: [realServer], realPort: realPort ?? port };
}
