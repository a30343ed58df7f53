// What to try in a laboratory that was kept.
import { fairlead, ipvsadm, methodOption } from './director.ts';
import { addressOf, type LabType } from './plan.ts';
import { clientAddress, httpPort, udpPort, vip } from './plans/addresses.ts';
import { plans } from './plans/plans.ts';

export function advice(type: LabType): string[] {
  const inClient = 'ip netns exec fairlead-client';
  const onDirector = 'ip netns exec fairlead-director';
  const plan = plans[type];
  const realPort = plan.services.find(({ port }) => port === httpPort)?.realPort;
  const quiesced = `${addressOf(plan, 'rs1')}:${realPort} ${methodOption[plan.method]} -w 0`;
  return [
    '',
    `The ${type} laboratory stays. Try:`,
    `  ${inClient} curl http://${vip}/`,
    `  ${inClient} bash -c 'exec 3<>/dev/udp/${vip}/${udpPort}; echo hello >&3; head -n 1 <&3'`,
    `  ${onDirector} ${ipvsadm} -L -n --stats`,
    `  ${onDirector} ${ipvsadm} -L -n -c`,
    `  ${onDirector} ${ipvsadm} -e -t ${vip}:${httpPort} -r ${quiesced}   # quiesces rs1`,
    `  ${onDirector} ${fairlead} status`,
    `  ${onDirector} ${fairlead} trace ${clientAddress}:40000 ${vip}:${httpPort}/tcp`,
    `  ${onDirector} tcpdump -e -n -i eth0`,
    'Remove it with:',
    '  npm run lab -- --down',
  ];
}
