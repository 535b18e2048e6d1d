import '../waldo.js';
