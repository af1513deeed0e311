/** Every operation's handler; the type sees to it that none is missing. */
import type { Handlers } from '../call.js';
import type { Services } from '../needs.js';
import { checkpointRoutes, pluginRoutes, swarmRoutes } from './absent.js';
import { buildRoutes } from './build.js';
import { containerRoutes } from './containers.js';
import { conversationRoutes } from './conversations.js';
import { imageRoutes } from './images.js';
import { networkRoutes } from './networks.js';
import { systemRoutes } from './system.js';
import { volumeRoutes } from './volumes.js';

/** Joins the handlers of all nouns to their services. */
export function allRoutes(services: Services): Handlers {
  return {
    ...containerRoutes(services.containers),
    ...conversationRoutes(services.containers),
    ...buildRoutes(services.builder),
    ...imageRoutes(services.images, services.containers),
    ...volumeRoutes(services.volumes),
    ...networkRoutes(services.networks),
    ...systemRoutes(services.system, services.events),
    ...checkpointRoutes,
    ...pluginRoutes,
    ...swarmRoutes,
  };
}
