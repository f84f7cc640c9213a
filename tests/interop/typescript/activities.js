const { activityInfo, heartbeat, sleep } = require('@temporalio/activity');

exports.greet = async (name) => `Hello, ${name}!`;

// Fails twice, and knows at the third attempt what the first two have left.
exports.stubborn = async () => {
  const { attempt, heartbeatDetails } = activityInfo();
  heartbeat(attempt);
  if (attempt < 3) throw new Error('not yet');
  return heartbeatDetails;
};

exports.untilCancelled = async () => {
  for (;;) {
    heartbeat();
    await sleep(50);
  }
};
