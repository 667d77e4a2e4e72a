import commonjs from '@rollup/plugin-commonjs';
import resolve from '@rollup/plugin-node-resolve';
import terser from '@rollup/plugin-terser';
import css from 'rollup-plugin-css-only';
import svelte from 'rollup-plugin-svelte';

const watching = process.env.ROLLUP_WATCH === 'true';

export default {
    input: 'src/main.js',
    output: { file: 'public/build/bundle.js', format: 'iife', name: 'app', sourcemap: true },
    plugins: [
        svelte({ compilerOptions: { dev: watching } }),
        // the components' styles go to a file of their own
        css({ output: 'bundle.css' }),
        resolve({ browser: true, dedupe: ['svelte'], exportConditions: ['svelte'] }),
        commonjs(),
        !watching && terser(),
    ],
    watch: { clearScreen: false },
};
