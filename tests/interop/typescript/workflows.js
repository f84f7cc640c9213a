const workflow = require('@temporalio/workflow');

const { greet, stubborn } = workflow.proxyActivities({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '30s',
  retry: { initialInterval: '100ms' },
});
const { untilCancelled } = workflow.proxyActivities({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '1s',
  cancellationType: workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

exports.hello = (name) => greet(name);

exports.cart = async () => {
  const items = [];
  let closed = false;
  workflow.setHandler(workflow.defineQuery('count'), () => items.length);
  workflow.setHandler(workflow.defineSignal('close'), () => {
    closed = true;
  });
  const add = async (item) => {
    await workflow.sleep(10);
    items.push(item);
    return items.length;
  };
  const validator = (item) => {
    if (!item) throw new Error('nothing to add');
  };
  workflow.setHandler(workflow.defineUpdate('add'), add, { validator });
  await workflow.condition(() => closed);
  return items;
};

exports.parent = (names) => Promise.all(names.map((name) => workflow.executeChild('hello', { args: [name] })));

exports.persistent = async (round) => {
  await workflow.sleep(50);
  const last = await stubborn();
  if (round === 0) await workflow.continueAsNew(1);
  return last;
};

exports.cancellable = async () => {
  try {
    await untilCancelled();
  } catch (error) {
    return workflow.isCancellation(error);
  }
  return false;
};

exports.failing = async () => {
  throw workflow.ApplicationFailure.create({
    message: 'as it must',
    type: 'Planned',
    nonRetryable: true,
    details: [{ code: 7 }],
  });
};
