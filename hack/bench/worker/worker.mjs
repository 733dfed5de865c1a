// Answers the commands of the benchmark, one JSON object a line, from the native Server Core behind its Node binding.
// The argument is the URL that serves the document.
import {createRequire} from 'node:module';
import {createInterface} from 'node:readline';
import {readFileSync} from 'node:fs';

const {Statsig, StatsigUser} = createRequire(import.meta.url)('@statsig/statsig-node-core');

const resident = (field) => Number(readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${field}:\\s+(\\d+)`))[1]) * 1024;
const memory = () => ({resident: process.memoryUsage.rss(), peak: process.platform === 'linux' ? resident('VmHWM') : 0});
const quiet = {disableExposureLogging: true};

const before = memory();
const started = process.hrtime.bigint();
const statsig = new Statsig('secret-bench', {
  specsUrl: process.argv[2], logEventUrl: process.argv[2] + '/events', disableAllLogging: true, outputLogLevel: 'none',
  specsSyncIntervalMs: 3_600_000, disableCountryLookup: true,
});
const result = await statsig.initialize();
const elapsed = Number(process.hrtime.bigint() - started);

let users = [];
const build = (u) => new StatsigUser({
  userID: u.id, email: u.email, country: u.country, appVersion: u.appVersion, custom: {level: u.level},
});

const time = (n, rotate, call) => {
  const start = process.hrtime.bigint();
  for (let i = 0, user = 0; i < n; i++) {
    call(users[user]);
    if (rotate && ++user === users.length) user = 0;
  }
  return {elapsed: Number(process.hrtime.bigint() - start)};
};

const commands = {
  users: ({list}) => { users = list.map(build); return {}; },
  answers: ({flag}) => ({answers: users.map((u) => statsig.checkGate(u, flag, quiet))}),
  time: ({flag, n, rotate}) => time(n, rotate, (u) => statsig.checkGate(u, flag, quiet)),
  response: ({user}) => ({text: statsig.getClientInitializeResponse(users[user], {hashAlgorithm: 'djb2'})}),
  timeResponse: ({n}) => time(n, true, (u) => statsig.getClientInitializeResponse(u, {hashAlgorithm: 'djb2'})),
};

const reply = (o) => process.stdout.write(JSON.stringify(o) + '\n');
reply(result.isSuccess ? {elapsed, before, after: memory()} : {error: result.error ?? 'not initialised'});
for await (const line of createInterface({input: process.stdin})) {
  const command = JSON.parse(line);
  try {
    reply(commands[command.op](command));
  } catch (e) {
    reply({error: String(e)});
  }
}
await statsig.shutdown(1000);
process.exit(0);
