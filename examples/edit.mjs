// Changes the configuration only if nobody else has changed it meanwhile: `node examples/edit.mjs FROM TO` replaces a text in it.
import { connect } from 'fairlead';

const [from = '', to = ''] = process.argv.slice(2);
const director = connect();
for (;;) {
  const { yaml, etag } = await director.config();
  try {
    const { services } = await director.apply(yaml.toString().replaceAll(from, to), { ifMatch: etag });
    console.log(`${services.length} services changed`);
    break;
  } catch (error) {
    if (error.code !== 'changed') throw error; // somebody was faster: once more, from what is there now
  }
}
