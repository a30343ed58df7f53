// A service none of whose real servers takes new connections.
import type { Problem } from '../problem.ts';
import { serviceOption, type Ward, weightCommand } from '../ward.ts';

export function quiesced({ director }: Ward): readonly Problem[] {
  return (director?.services ?? [])
    .filter(({ destinations }) => destinations.every(({ weight }) => weight === 0))
    .map((service) => {
      const [first] = service.destinations;
      const name = serviceOption(service);
      return {
        id: 'quiesced',
        wrong:
          first === undefined ? `the service ${name} has no real server` : `all real servers of ${name} are quiesced`,
        why: 'new connections are refused',
        evidence:
          first === undefined
            ? `\`ipvsadm -Ln ${name}\` shows none`
            : `the weights of all ${service.destinations.length} are 0`,
        mend: {
          command:
            first === undefined
              ? `ipvsadm -D ${name}`
              : service.destinations.map((one) => weightCommand(service, one, 1)).join(' && '),
          isSafe: false,
        },
      };
    });
}
