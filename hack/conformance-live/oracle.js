// Asks the official SDK. Reads jobs from the standard input, one in JSON on each line, and answers each with one line.
//
// A job names a document, as the server beside it hands it out, the users, and the entities to ask for. The answers go
// into a file in the form of testdata/conformance. Exposures go to the server, as the SDK sends them.
'use strict';

const fs = require('fs');
const readline = require('readline');
const zlib = require('zlib');
const { Statsig, StatsigUser } = require('@statsig/statsig-node-core');

const quiet = { disableExposureLogging: true };
const sections = { gate: 'feature_gates', config: 'dynamic_configs', layer: 'layer_configs', store: 'param_stores' };
const makersOwn = ['sdkInfo', 'full_checksum', 'can_record_session'];

const orNull = (value) => (value === undefined ? null : value);
const parsed = (raw) => (typeof raw === 'string' ? JSON.parse(raw) : raw || {});

function common(raw) {
  return {
    rule_id: raw.ruleID || '',
    id_type: raw.idType || null,
    version: orNull(raw.details.version),
    reason: raw.details.reason.replace(/^Network:/, ''),
  };
}

function config(raw) {
  return {
    ...common(raw),
    value: orNull(raw.value),
    group_name: orNull(raw.groupName),
    is_experiment_active: orNull(raw.isExperimentActive),
    secondary_exposures: orNull(raw.secondaryExposures),
  };
}

// ask makes one call with exposures off.
function ask(sdk, user, kind, name, parameters) {
  switch (kind) {
    case 'gate': {
      const raw = parsed(sdk.__INTERNAL_getFeatureGate(user, name, quiet));
      return { get: { ...common(raw), value: raw.value === true } };
    }
    case 'config': {
      const row = { get: config(parsed(sdk.__INTERNAL_getExperiment(user, name, quiet))) };
      const other = config(parsed(sdk.__INTERNAL_getDynamicConfig(user, name, quiet)));
      // Of these, the call tells nothing.
      const { group_name, is_experiment_active, secondary_exposures } = row.get;
      const same = { ...other, group_name, is_experiment_active, secondary_exposures };
      if (JSON.stringify(same) !== JSON.stringify(row.get)) {
        row.get_dynamic_config = other;
      }
      return row;
    }
    case 'layer': {
      const raw = parsed(sdk.__INTERNAL_getLayer(user, name, quiet));
      return { get: { ...config(raw), allocated_experiment_name: orNull(raw.allocatedExperimentName) } };
    }
    default: {
      const store = sdk.getParameterStore(user, name, quiet);
      const values = {};
      for (const parameter of parameters) {
        values[parameter] = orNull(store.getValue(parameter));
      }
      return { get: { reason: store.getEvaluationDetails().reason.replace(/^Network:/, ''), values } };
    }
  }
}

// expose makes one call with exposures on, and reads every parameter of a layer.
function expose(sdk, user, kind, name) {
  switch (kind) {
    case 'gate':
      sdk.__INTERNAL_getFeatureGate(user, name);
      break;
    case 'config':
      sdk.__INTERNAL_getExperiment(user, name);
      break;
    case 'layer': {
      const raw = sdk.__INTERNAL_getLayer(user, name);
      for (const parameter of Object.keys(raw.value || {}).sort()) {
        sdk.__INTERNAL_logLayerParamExposure(raw.__exposure, parameter);
      }
    }
  }
}

function part(response, kind, name) {
  const entry = response[sections[kind]] && response[sections[kind]][name];
  if (!entry) {
    return null;
  }
  if (kind !== 'store') {
    delete entry.name;
  }
  return entry;
}

async function run(job) {
  const sdk = new Statsig(job.key, {
    ...job.options,
    specsUrl: job.url + '/v2/download_config_specs',
    logEventUrl: job.url + '/v1/log_event',
    idListsUrl: job.url + '/v1/get_id_lists',
    enableIdLists: true,
    waitForCountryLookupInit: true,
    waitForUserAgentInit: true,
    outputLogLevel: 'none',
  });
  const header = { kind: 'header', evaluated_at_ms: Date.now(), users: job.users.length, init: await sdk.initialize() };
  if (!header.init.isSuccess) {
    throw new Error('initialize: ' + header.init.error);
  }
  const entities = job.entities.map(([kind, name, parameters]) => ({ idx: [], kind, name, parameters, table: [] }));
  const meta = { idx: [], kind: 'meta', name: 'response', table: [] };
  const users = job.users.map((attributes) => new StatsigUser(attributes));
  users.forEach((user, u) => {
    const response = job.respond ? JSON.parse(sdk.getClientInitializeResponse(user, { hashAlgorithm: 'none' })) : {};
    for (const e of entities) {
      const row = ask(sdk, user, e.kind, e.name, e.parameters);
      if (response.has_updates) {
        row.gcir = part(response, e.kind, e.name);
      }
      e.idx.push(u);
      e.table.push(row);
    }
    [...Object.values(sections), ...makersOwn].forEach((name) => delete response[name]);
    meta.idx.push(u);
    meta.table.push(response);
  });
  if (job.expose) {
    users.forEach((user) => entities.forEach((e) => expose(sdk, user, e.kind, e.name)));
  }
  await sdk.flushEvents();
  await sdk.shutdown();
  entities.forEach((e) => delete e.parameters);
  const lines = [header, ...entities, meta].map((line) => JSON.stringify(line) + '\n');
  fs.writeFileSync(job.file, zlib.gzipSync(lines.join('')));
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answer = {};
    try {
      await run(JSON.parse(line));
    } catch (error) {
      answer.error = String(error);
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

main();
