// Asks an OFREP server through OpenFeature's own clients, as the lines on stdin say: one JSON object each, answered by one
// JSON object.
//
//   {"do": "server", "type": "boolean", "key": "…", "default": …, "context": {…}}   evaluation details of the server SDK
//   {"do": "start", "context": {…}}                                                 starts the web SDK, which polls
//   {"do": "web", "type": …, "key": …, "default": …}                                its evaluation details
//   {"do": "context", "context": {…}}                                               gives it another context
//   {"do": "changed"}                                                               waits for changed flags
import {createInterface} from 'node:readline';
import {OFREPProvider} from '@openfeature/ofrep-provider';
import {OFREPWebProvider} from '@openfeature/ofrep-web-provider';
import {OpenFeature as Server} from '@openfeature/server-sdk';
import {OpenFeature as Web, ProviderEvents} from '@openfeature/web-sdk';

const [baseUrl, token, pollInterval] = process.argv.slice(2);
const headers = token ? [['Authorization', `Bearer ${token}`]] : [];

const quiet = {error() {}, warn() {}, info() {}, debug() {}};
Server.setLogger(quiet);
Web.setLogger(quiet);
await Server.setProviderAndWait(new OFREPProvider({baseUrl, headers}));

const changes = [];
let changed;
Web.addHandler(ProviderEvents.ConfigurationChanged, ({flagsChanged}) => {
  changes.push(flagsChanged);
  changed?.();
});

const details = (client, {type, key, default: fallback, context}) => {
  const method = `get${type[0].toUpperCase()}${type.slice(1)}Details`;
  return context ? client[method](key, fallback, context) : client[method](key, fallback);
};

const commands = {
  server: (c) => details(Server.getClient(), c),
  web: (c) => details(Web.getClient(), c),
  context: async ({context}) => {
    await Web.setContext(context);
    return {};
  },
  start: async ({context}) => {
    await Web.setContext(context);
    await Web.setProviderAndWait(
      new OFREPWebProvider({baseUrl, headers, pollInterval: Number(pollInterval), cacheMode: 'disabled'}));
    return {};
  },
  changed: async () => {
    while (changes.length === 0) {
      await new Promise((resolve) => (changed = resolve));
    }
    return {flagsChanged: changes.shift()};
  },
};

for await (const line of createInterface({input: process.stdin})) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = await commands[command.do](command);
  } catch (error) {
    answer = {thrown: String(error)};
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
process.exit(0);
