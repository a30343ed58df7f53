// Takes a real server out without losing a connection: `node examples/drain.mjs 'tcp 192.0.2.10:80' 10.1.0.1:8080`.
import { connect } from 'fairlead';

const [service = '', destination = ''] = process.argv.slice(2);
const director = connect();
const events = director.events()[Symbol.asyncIterator]();
const first = events.next(); // before it begins, so that nothing is missed
await director.override(service, destination, {
  state: 'draining',
  untilMs: Date.now() + 60_000,
  who: 'deploy',
  why: 'a new release',
});
for (let event = await first; !event.done; event = await events.next()) {
  const { what, subject, why = '' } = event.value;
  if (subject !== `${service} ${destination}`) continue;
  console.log(`${what}: ${why}`);
  if (what === 'drained') break;
}
await events.return?.();
