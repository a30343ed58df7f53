// LVS-TUN: one real server beside the director, two in another network; all answer by their own router.
import type { Host, Plan } from '../plan.ts';
import * as at from './addresses.ts';

function realServer(name: string, segment: string, address: string, gateway: string): Host {
  return {
    name,
    legs: [{ segment, address }],
    gateway,
    listens: [
      at.http(at.httpPort),
      at.http(at.realHttpPort),
      at.http(at.proofService(name).port),
      { protocol: 'udp', address: at.vip, port: at.udpPort },
    ],
    note: 'RIP, VIP on lo, decapsulates IPIP; its gateway is the router',
  };
}

export const tunPlan: Plan = {
  type: 'tun',
  title: 'LVS-TUN',
  method: 'tunnel',
  vip: at.vip,
  segments: [at.clientSegment, at.vipSegment, at.farSegment],
  hosts: [
    at.client,
    at.router,
    {
      name: 'director',
      legs: [{ segment: 'services', address: at.directorAddress }],
      gateway: at.routerAddress.services,
      vipOn: 'eth0',
      note: `DIP, VIP ${at.vip}`,
    },
    realServer('rs1', 'services', '203.0.113.11', at.routerAddress.services),
    realServer('rs2', 'far', '192.0.2.12', at.routerAddress.far),
    realServer('rs3', 'far', '192.0.2.13', at.routerAddress.far),
  ],
  services: [
    { protocol: 'tcp', port: at.httpPort, realServers: at.realServers, realPort: at.httpPort },
    { protocol: 'udp', port: at.udpPort, realServers: at.realServers, realPort: at.udpPort },
  ],
  proofServices: [
    ...at.realServers.map((name) => at.proofService(name)),
    { protocol: 'tcp', port: at.mappedPort, realServers: ['rs1'], realPort: at.realHttpPort },
  ],
};
