import { cliChecks, fails } from '../../support/cli-table.js';

const often = '--health-interval 200ms --health-timeout 2s --health-start-period 0s';
const health = `inspect -f '{{.State.Health.Status}}' @a`;

cliChecks({
  'ps filters those without a health check': [
    ['run -d --name @a IMG sleep 600'],
    ['ps --filter name=@a --filter health=none --format {{.Names}}', '@a'],
    ['ps -q --filter name=@a --filter health=healthy', ''],
    ['ps --filter health=no-such', fails(1, /unrecognized filter value for health: no-such/)],
  ],
  'a health check is kept in the config': [
    [`create --name @a --health-cmd true --health-retries 2 ${often} IMG`],
    [
      `inspect -f '{{json .Config.Healthcheck}}' @a`,
      '{"Test":["CMD-SHELL","true"],"Interval":200000000,"Timeout":2000000000,"Retries":2}',
    ],
  ],
  'a health check that is too frequent is refused': [
    [
      'create --name @a --health-cmd true --health-interval 100us IMG',
      fails(1, /Interval in Healthcheck cannot be less than 1ms/),
    ],
  ],
  'a healthy container is told as such': [
    [`run -d --name @a --health-cmd true ${often} IMG sleep 600`],
    [`~ ${health}`, 'healthy'],
    ['ps --filter name=@a --filter health=healthy --format {{.Status}}', /\(healthy\)$/],
    [`inspect -f '{{(index .State.Health.Log 0).ExitCode}}' @a`, '0'],
  ],
  'an unhealthy one after its retries': [
    [
      `run -d --name @a --health-cmd 'echo ill; exit 1' --health-retries 2 ${often} IMG ` +
        `sleep 600`,
    ],
    [`~ ${health}`, 'unhealthy'],
    [`inspect -f '{{.State.Health.FailingStreak}}' @a`, /^[2-9]$/],
    [`inspect -f '{{(index .State.Health.Log 0).Output}}' @a`, 'ill'],
  ],
  'it is starting at first': [
    [
      'run -d --name @a --health-cmd false --health-interval 60s IMG sleep 600',
    ],
    [health, 'starting'],
    ['ps --filter name=@a --format {{.Status}}', /\(health: starting\)$/],
  ],
  'it heals': [
    [`run -d --name @a --health-cmd 'test -e /ok' --health-retries 1 ${often} IMG sleep 600`],
    [`~ ${health}`, 'unhealthy'],
    ['exec @a touch /ok'],
    [`~ ${health}`, 'healthy'],
  ],
  '--no-healthcheck switches it off': [
    ['create --name @a --no-healthcheck IMG'],
    [`inspect -f '{{json .Config.Healthcheck}}' @a`, '{"Test":["NONE"]}'],
  ],
});
