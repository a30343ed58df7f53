// LVS-NAT: real servers in a private network whose way out is the director.
import type { Host, Plan } from '../plan.ts';
import * as at from './addresses.ts';

export const insideAddress = '10.0.0.1';

function realServer(name: string, address: string): Host {
  return {
    name,
    legs: [{ segment: 'inside', address }],
    gateway: insideAddress,
    listens: [at.http(at.realHttpPort), { protocol: 'udp', address: at.anywhere, port: at.realUdpPort }],
    note: 'RIP; its gateway is the DIP',
  };
}

export const natPlan: Plan = {
  type: 'nat',
  title: 'LVS-NAT',
  method: 'masq',
  vip: at.vip,
  segments: [at.clientSegment, at.vipSegment, { name: 'inside', network: '10.0.0.0/24' }, at.farSegment],
  hosts: [
    at.client,
    at.router,
    {
      name: 'director',
      legs: [
        { segment: 'services', address: at.directorAddress },
        { segment: 'inside', address: insideAddress },
      ],
      gateway: at.routerAddress.services,
      vipOn: 'eth0',
      settings: { ip_forward: '1' },
      note: `VIP ${at.vip}, DIP ${insideAddress}`,
    },
    realServer('rs1', '10.0.0.11'),
    realServer('rs2', '10.0.0.12'),
    realServer('rs3', '10.0.0.13'),
    {
      name: 'rs4',
      legs: [{ segment: 'far', address: '192.0.2.14' }],
      gateway: at.routerAddress.far,
      listens: [at.http(at.realHttpPort)],
      note: 'RIP; in another network, its gateway is the router: for nat-5',
    },
  ],
  services: [
    { protocol: 'tcp', port: at.httpPort, realServers: at.realServers, realPort: at.realHttpPort },
    { protocol: 'udp', port: at.udpPort, realServers: at.realServers, realPort: at.realUdpPort },
  ],
  proofServices: ['rs1', 'rs2', 'rs3', 'rs4'].map((name) => at.proofService(name, at.realHttpPort)),
};
