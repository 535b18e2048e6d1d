/** @file The methods and messages of players, waldo.player.v1. The fields are documented in api/proto. */

import { fields, flag, integer64, milliseconds, number, text, timestamp } from './json.js';

/** @import { PlayerService, PlayerStateJson } from './gen/waldo/player/v1/player_pb.js' */
/** @import { Claim, Method } from './types.js' */

/** @typedef {ReturnType<typeof playerState>} PlayerState What a player does. */

/** Full names of the methods, by what they do. */
export const PLAYER = {
  play: /** @type {Method<typeof PlayerService.method.play>} */ ('waldo.player.v1.PlayerService/Play'),
  pause: /** @type {Method<typeof PlayerService.method.pause>} */ ('waldo.player.v1.PlayerService/Pause'),
  seek: /** @type {Method<typeof PlayerService.method.seek>} */ ('waldo.player.v1.PlayerService/Seek'),
  speed: /** @type {Method<typeof PlayerService.method.setSpeed>} */ ('waldo.player.v1.PlayerService/SetSpeed'),
  loop: /** @type {Method<typeof PlayerService.method.setLoop>} */ ('waldo.player.v1.PlayerService/SetLoop'),
  state: /** @type {Method<typeof PlayerService.method.getPlayer>} */ ('waldo.player.v1.PlayerService/GetPlayer'),
};

/** @param {Claim<PlayerStateJson>} v */
export function playerState(v) {
  const s = fields(v);
  return {
    epoch: integer64(s.epoch),
    /** Counted up whenever the place jumps. */
    jump: Number(integer64(s.jump)),
    playing: flag(s.playing),
    /** The place at the clock, after the beginning, in s. */
    offsetS: (milliseconds(s.offset) ?? 0) / 1000,
    /** The player's clock at the place, in s. */
    clockS: (milliseconds(s.clock) ?? 0) / 1000,
    speed: number(s.speed) || 1,
    loop: flag(s.loop),
    ended: flag(s.ended),
    durationS: (milliseconds(s.duration) ?? 0) / 1000,
    /** When the recording begins, Unix time in ms by the clock of the machine that recorded it; null if it is unknown. */
    startMs: timestamp(s.startTime),
    name: text(s.name),
  };
}
