// Opening what is attached here, for commands that only look.
import { type DataplaneDirector, openDirector } from '../../dataplane/director.ts';
import { FairleadError } from '../../model/error.ts';

export function openAttached(): DataplaneDirector {
  const director = openDirector({ create: false });
  if (director !== undefined) return director;
  throw new FairleadError('not-attached', 'nothing is attached in this network namespace', {
    hint: "add a service with ipvsadm, or run 'fairlead attach'",
  });
}
