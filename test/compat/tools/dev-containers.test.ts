/** What the Dev Containers command line asks of docker. */
import { cliChecks, type Checks } from '../../support/cli-table.js';

const stays = 'echo Container started; trap "exit 0" 15; while sleep 0.1 & wait $!; do :; done';
const local = 'devcontainer.local_folder=/home/@';

const devContainers: Checks = {
  'Dev Containers: what engine it is': [
    ['version --format {{.Server.Version}}', /^\d+\.\d+\.\d+/],
    ['version --format {{.Server.APIVersion}}', /^1\.\d+$/],
    ['info -f {{.Runtimes.nvidia}}', '<no value>'],
    ['inspect --type image IMG', /"Architecture": "\w+"/],
    ['image inspect -f {{.Config.User}} IMG', ''],
  ],
  'Dev Containers: one is made, found by its labels, entered and stopped': [
    [`ps -q -a --filter label=${local}`, ''],
    [`& run --sig-proxy=false -a STDOUT -a STDERR --name @a -l ${local} ` +
      `--mount type=bind,source=/tmp,target=/workspaces,consistency=cached ` +
      `--entrypoint /bin/sh IMG -c '${stays}' -`, /Container started/],
    [`~ ps -q --filter label=${local}`, /^[0-9a-f]{12}$/],
    ['inspect --type container @a', /"Status": "running"/],
    ['exec -i -u root @a /bin/sh', 'root\n/workspaces', 'id -un; cd /workspaces; pwd\n'],
    [`exec -i -e A=b -w /workspaces @a sh -c 'echo $A; pwd'`, 'b\n/workspaces'],
    ['stop @a', '@a'],
    // An engine may answer a stop a moment before its list is told.
    [`~ ps -q --filter label=${local}`, ''],
    [`ps -a -q --filter label=${local}`, /^[0-9a-f]{12}$/],
    ['start @a', '@a'],
    ['rm -f @a', '@a'],
  ],
  'Dev Containers: a start is heard of': [
    ['create --name @a -l devcontainer.x=@ IMG sleep 600'],
    ['start @a', '@a'],
    ['kill @a', '@a'],
    [`~ events --since 60s --until 0s --format '{{json .}}' --filter event=start ` +
      '--filter label=devcontainer.x=@', /"Action":"start".*"devcontainer\.x":"@"/],
  ],
};

cliChecks(devContainers);
