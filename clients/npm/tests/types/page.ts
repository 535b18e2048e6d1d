// What a page in TypeScript may write, and what it may not.
import * as waldo from 'waldo-robot';

const robot: waldo.Robot = waldo.connect('http://127.0.0.1:8080/', { token: 'secret' });
const element = document.querySelector('video');
if (element) robot.video('front').attach(element);
robot.drive().use(new waldo.Keyboard());
robot.drive().use(new waldo.TouchStick(document.body));
robot.channel('chat').send({ hello: 'robot' });
const names: string[] = robot.devices.filter(waldo.hasVideo).map((d) => d.name);
const text: string = robot.video('front').picture.text;
console.log(names, text);
// @ts-expect-error A page has no frames to loop over.
robot.video('front')[Symbol.asyncIterator];
