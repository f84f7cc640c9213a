// What a program of Temporal's TypeScript SDK does on a server: hello, signal, query, update, child, timer, heartbeat.
//
//     node conversation.js ADDRESS
//
// Prints one line a feature, and ends with an error at the first that fails.
const { randomUUID } = require('node:crypto');
const { setTimeout } = require('node:timers/promises');
const { Client, Connection, WorkflowUpdateFailedError } = require('@temporalio/client');
const { DefaultLogger, NativeConnection, Runtime, Worker } = require('@temporalio/worker');
const activities = require('./activities');

function passed(feature, holds) {
  if (!holds) throw new Error(`${feature}: not as it should be`);
  console.log(`${feature}: ok`);
}

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right);

async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
}

async function converse({ workflow, schedule }, taskQueue) {
  const options = (name, ...args) => ({ workflowId: `${name}-${randomUUID()}`, taskQueue, args });
  const start = (name, ...args) => workflow.start(name, options(name, ...args));

  passed('hello', (await workflow.execute('hello', options('hello', 'TypeScript'))) === 'Hello, TypeScript!');

  const cart = await start('cart');
  passed('update', (await cart.executeUpdate('add', { args: ['tea'] })) === 1);
  const refused = await failureOf(cart.executeUpdate('add', { args: [''] }));
  passed('validator', refused instanceof WorkflowUpdateFailedError && refused.cause.message === 'nothing to add');
  passed('query', (await cart.query('count')) === 1);
  await cart.signal('close');
  passed('signal', same(await cart.result(), ['tea']));

  const greetings = await workflow.execute('parent', options('parent', ['a', 'b']));
  passed('children', same(greetings, ['Hello, a!', 'Hello, b!']));

  const last = await workflow.execute('persistent', options('persistent', 0));
  passed('timer, retries, heartbeat details and continue-as-new', last === 2);

  const cancellable = await start('cancellable');
  // Its activity has to run before there is something to cancel.
  while ((await cancellable.describe()).raw.pendingActivities?.[0]?.state !== STARTED) await setTimeout(20);
  await cancellable.cancel();
  passed('cancellation', await cancellable.result());

  const failed = await failureOf(workflow.execute('failing', options('failing')));
  passed('failure', failed?.cause?.type === 'Planned' && same(failed.cause.details, [{ code: 7 }]));

  const terminated = await start('cart');
  await terminated.terminate('enough');
  passed('terminate and describe', (await terminated.describe()).status.name === 'TERMINATED');
  const found = [];
  for await (const { workflowId } of workflow.list({ query: `WorkflowId = '${terminated.workflowId}'` })) {
    found.push(workflowId);
  }
  passed('list', same(found, [terminated.workflowId]));

  const hourly = await schedule.create({
    scheduleId: `schedule-${randomUUID()}`,
    spec: { intervals: [{ every: '1h' }] },
    action: { type: 'startWorkflow', workflowType: 'hello', taskQueue, args: ['schedule'] },
  });
  await hourly.trigger();
  let action;
  while (!action) {
    await setTimeout(20);
    action = (await hourly.describe()).info.recentActions[0]?.action;
  }
  const scheduled = workflow.getHandle(action.workflow.workflowId, action.workflow.firstExecutionRunId);
  passed('schedule', (await scheduled.result()) === 'Hello, schedule!');
  await hourly.delete();
}

// `PENDING_ACTIVITY_STATE_STARTED`
const STARTED = 2;

async function main(address) {
  // The failures of a test are meant to happen.
  Runtime.install({ logger: new DefaultLogger('ERROR', () => {}) });
  const taskQueue = `typescript-${randomUUID()}`;
  const connection = await NativeConnection.connect({ address });
  const workflowsPath = require.resolve('./workflows');
  const worker = await Worker.create({ connection, taskQueue, workflowsPath, activities });
  const client = new Client({ connection: await Connection.connect({ address }) });
  await worker.runUntil(converse(client, taskQueue));
  await client.connection.close();
  await connection.close();
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});
