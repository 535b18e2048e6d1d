/** @file What must not happen by mistake: a button to be pressed twice, and a field for a key that is wanted. */

import { make, setText } from './dom.js';

/** How long the second press may take, in ms. */
const PATIENCE_MS = 4000;

/** A button that does what it says when it is pressed a second time. */
export class ConfirmButton {
  element;

  #words = '';
  #question = '';
  #sure = true;
  #run;
  /** @type {number|undefined} */
  #timer;

  /**
   * @param {HTMLButtonElement} element
   * @param {() => void} run
   */
  constructor(element, run) {
    this.element = element;
    this.#run = run;
    element.addEventListener('click', () => this.#pressed());
    element.addEventListener('blur', () => this.#ask(false));
  }

  /**
   * What it says.
   * @param {string} words
   * @param {string} [question] What it says after the first press; without, it is pressed once.
   */
  show(words, question = '') {
    if (words !== this.#words || question !== this.#question) this.#ask(false);
    this.#words = words;
    this.#question = question;
    this.#sure = question === '';
    setText(this.element, this.element.dataset.asking ? question : words);
  }

  /**
   * Forbids pressing it, or allows it again.
   * @param {string} why For people; empty: it is allowed.
   */
  forbid(why) {
    if (this.element.disabled === (why !== '') && this.element.title === why) return;
    this.element.disabled = why !== '';
    this.element.title = why;
    if (why !== '') this.#ask(false);
  }

  #pressed() {
    if (this.#sure || this.element.dataset.asking) {
      this.#ask(false);
      this.#run();
    } else {
      this.#ask(true);
    }
  }

  /** @param {boolean} asking */
  #ask(asking) {
    clearTimeout(this.#timer);
    if (asking) {
      this.element.dataset.asking = 'true';
      this.#timer = setTimeout(() => this.#ask(false), PATIENCE_MS);
    } else {
      delete this.element.dataset.asking;
    }
    setText(this.element, asking ? this.#question : this.#words);
  }
}

/** Asks for the override key of an actuator. */
export class KeyForm {
  element;

  #field = make('input', {
    type: 'password', autocomplete: 'off', placeholder: 'Override key', 'aria-label': 'Override key', class: 'field',
  });

  /**
   * @param {string} words What the button says.
   * @param {(key: string) => void} run
   */
  constructor(words, run) {
    const submit = make('button', { type: 'submit', class: 'button' }, words);
    this.element = make('form', { class: 'key-form', hidden: '' }, this.#field, submit);
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      const key = this.#field.value;
      this.hide();
      run(key);
    });
    this.element.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.hide();
    });
  }

  show() {
    this.element.hidden = false;
    this.#field.focus();
  }

  /** Hides the form, and forgets the key. */
  hide() {
    this.#field.value = '';
    this.element.hidden = true;
  }
}
