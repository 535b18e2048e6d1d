// Explains why the modules of a page did not load. The gateway puts this script into the pages that name it, so that it
// runs when nothing else arrives, and allows it by its hash in their content security policy. It runs in every browser.
(function () {
  var trouble = /** @type {HTMLElement} */ (document.getElementById('trouble'));
  /** @param {string} text */
  function say(text) {
    if (/** @type {any} */ (window).waldo || trouble.dataset.said) return;
    trouble.dataset.said = 'script';
    /** @type {HTMLElement} */ (document.getElementById('trouble-text')).textContent = text;
  }
  /** @param {string} url @returns {Promise<string>} What is wrong with it; empty if nothing is. */
  function why(url) {
    return fetch(url, { cache: 'no-store' }).then(function (answer) {
      var type = answer.headers.get('Content-Type') || 'no type';
      if (answer.ok) return /javascript/.test(type) ? '' : url + ' arrives as ' + type + ', not as JavaScript.';
      return answer.text().then(function (text) {
        return url + ' is refused: HTTP ' + answer.status + (/^text\/plain/.test(type) ? ': ' + text.slice(0, 300) : '.');
      });
    }, function () { return url + ' cannot be loaded.'; });
  }
  // A network that changes, as when a laptop takes another one, makes browsers give up what they load. If it loads now,
  // the page is loaded again; once in half a minute, as it may have another reason not to run.
  function startAgain() {
    try {
      if (Math.abs(Date.now() - Number(sessionStorage.getItem('waldo.restarted'))) < 30000) return false;
      sessionStorage.setItem('waldo.restarted', String(Date.now()));
    } catch (e) {
      return false;
    }
    location.reload();
    return true;
  }
  /** What a proxy has to do. A robot's page is a folder, that of its recordings is beside what it loads. */
  function remedy() {
    var right = /\/(recordings|[^/]*\.html)?$/.test(location.pathname);
    return ' A proxy has to pass on everything ' + (right ? 'below ' + new URL('.', document.baseURI).pathname + '.' :
      'below the address of this page, which has to end with a slash: ' + location.pathname + '/');
  }
  function explain() {
    var all = document.querySelectorAll('link[rel=modulepreload], script[type=module]');
    Promise.all(Array.from(all, function (/** @type {any} */ e) { return why(e.href || e.src); })).then(function (answers) {
      var found = answers.filter(Boolean);
      if (found.length === 0 && startAgain()) return;
      if (found.some(function (text) { return / cannot be loaded\.$/.test(text); })) setTimeout(explain, 3000);
      var more = found.length > 1 ? ' ' + (found.length - 1) + ' more failed too.' : '';
      say('The scripts of this page did not load. ' + (found[0] || 'The browser does not run them.') + more + remedy());
    });
  }
  addEventListener('error', function (event) {
    if (/** @type {Element} */ (event.target).tagName === 'SCRIPT') explain();
    else if (event.message) say('A script of this page failed: ' + event.message + '. A newer browser may run it.');
  }, true);
  addEventListener('securitypolicyviolation', function (event) {
    say('A content security policy forbids ' + event.effectiveDirective + ' ' + event.blockedURI + '. The gateway ' +
      'sends one that allows what the page needs; a proxy must not add another.');
  });
})();
