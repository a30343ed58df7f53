// LVS-DR: director and real servers on one segment with the router; every real server holds the VIP, silently.
import type { Host, Plan } from '../plan.ts';
import * as at from './addresses.ts';

function realServer(name: string, segment: string, address: string, gateway: string, note: string): Host {
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
    note,
  };
}

function near(name: string, address: string): Host {
  return realServer(name, 'services', address, at.routerAddress.services, 'RIP, VIP on lo; its gateway is the router');
}

export const drPlan: Plan = {
  type: 'dr',
  title: 'LVS-DR',
  method: 'gate',
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
    near('rs1', '203.0.113.11'),
    near('rs2', '203.0.113.12'),
    near('rs3', '203.0.113.13'),
    realServer('rs4', 'far', '192.0.2.14', at.routerAddress.far, 'RIP, VIP on lo; in another network: for dr-5'),
  ],
  services: [
    { protocol: 'tcp', port: at.httpPort, realServers: at.realServers, realPort: at.httpPort },
    { protocol: 'udp', port: at.udpPort, realServers: at.realServers, realPort: at.udpPort },
  ],
  proofServices: [
    ...['rs1', 'rs2', 'rs3', 'rs4'].map((name) => at.proofService(name)),
    { protocol: 'tcp', port: at.mappedPort, realServers: ['rs1'], realPort: at.realHttpPort },
  ],
};
