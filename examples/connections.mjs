// Who is connected to what: `node examples/connections.mjs [CLIENT]`, on the director. Any number of them: they are read as they come.
import { connect } from 'fairlead';

const [client] = process.argv.slice(2);
for await (const { virtual, destination, state, ...from } of connect().connections(client && { client })) {
  console.log(`${from.client} -> ${virtual} -> ${destination}: ${state}`);
}
