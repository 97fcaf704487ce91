// Playing a recording: where it stands, how fast it goes, the segment that is repeated, and whether the sound is still there.
(() => {
  class Playback {
    /* `moved(ms)` at every picture while it plays, and after every jump; `state(playing)`; `lost()` when the sound cannot be had any more. */
    constructor({ player, moved, state, lost }) {
      Object.assign(this, { player, moved, loop: null });
      const on = (name, act) => player?.addEventListener(name, act);
      const tell = () => {
        state(this.playing);
        this.watch();
      };
      for (const name of ["play", "playing", "pause", "ended"]) on(name, tell);
      for (const name of ["seeked", "timeupdate"]) on(name, () => this.tick());
      on("error", () => lost());
    }

    get playing() { return Boolean(this.player) && !this.player.paused && !this.player.ended; }
    get ms() { return this.player ? this.player.currentTime * 1000 : 0; }

    watch() {
      if (this.watching || !this.playing) return;
      this.watching = true;
      const step = () => {
        this.watching = this.playing && this.player.isConnected;
        this.tick();
        if (this.watching) requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }

    tick() {
      const range = this.playing ? this.loop?.() : null;
      if (range && (this.ms >= range.end || this.ms < range.start - 500)) this.player.currentTime = range.start / 1000;
      this.moved(this.ms);
    }

    seek(ms) {
      if (!this.player) {
        this.moved(ms);
        return;
      }
      const go = () => { this.player.currentTime = Math.max(0, ms) / 1000; };
      if (this.player.readyState >= HTMLMediaElement.HAVE_METADATA) {
        go();
        this.moved(Math.max(0, ms)); // shown at once, whatever the sound takes
        return;
      }
      this.player.addEventListener("loadedmetadata", go, { once: true });
      if (this.player.error) this.player.load(); // its first attempt fell into a lost connection
    }

    play(ms = null) {
      if (ms !== null) this.seek(ms);
      this.player?.play().catch(() => {}); // the next click came before this one was answered, or the sound is gone, which "error" says
    }

    toggle() {
      if (this.playing) this.player.pause();
      else this.play();
    }

    step(seconds) { this.seek(this.ms + seconds * 1000); }

    speed(rate) {
      if (!this.player) return;
      this.player.playbackRate = this.player.defaultPlaybackRate = rate;
    }

    close() {
      this.player?.pause();
      this.loop = null;
    }
  }

  (window.lightvoiceParts ??= {}).Playback = Playback;
})();
