// LVS-FULLNAT: real servers in another network that know neither VIP nor director; the source address brings replies back.
import type { Host, Plan } from '../plan.ts';
import * as at from './addresses.ts';

function realServer(name: string, address: string): Host {
  return {
    name,
    legs: [{ segment: 'far', address }],
    gateway: at.routerAddress.far,
    listens: [at.http(at.realHttpPort), { protocol: 'udp', address: at.anywhere, port: at.realUdpPort }],
    note: 'RIP; its gateway is the router',
  };
}

export const fullnatPlan: Plan = {
  type: 'fullnat',
  title: 'LVS-FULLNAT',
  method: 'fullnat',
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
    realServer('rs1', '192.0.2.11'),
    realServer('rs2', '192.0.2.12'),
    realServer('rs3', '192.0.2.13'),
  ],
  services: [
    { protocol: 'tcp', port: at.httpPort, realServers: at.realServers, realPort: at.realHttpPort },
    { protocol: 'udp', port: at.udpPort, realServers: at.realServers, realPort: at.realUdpPort },
  ],
  proofServices: at.realServers.map((name) => at.proofService(name, at.realHttpPort)),
};
