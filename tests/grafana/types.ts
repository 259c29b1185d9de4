// A dashboard by Grafana's published types, down to the options of each kind of panel that we use.
// In JSON a member of an enumeration is its plain value; Plain says so.
import type { Dashboard, DataQuery, Panel, RowPanel } from '@grafana/schema';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string ? `${T}`
  : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends boolean | null | undefined ? T
  : T extends (infer E)[] ? Plain<E>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> }
  : T;

// Of the plugin for Prometheus, which publishes no types of its own in the package.
interface Query extends DataQuery {
  expr: string;
  legendFormat: string;
  instant: boolean;
  range: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
}

type Known<Type extends string, Options, Custom> = Omit<Plain<Panel>, 'type' | 'options' | 'targets' | 'fieldConfig'> & {
  type: Type;
  options: Plain<Options>;
  targets: Plain<Query>[];
  fieldConfig: {
    defaults: Omit<NonNullable<Plain<Panel['fieldConfig']>>['defaults'], 'custom'> & { custom?: Custom };
    overrides: [];
  };
};

export type Ours = Omit<Plain<Dashboard>, 'panels'> & {
  uid: string;
  title: string;
  panels: (
    | Plain<RowPanel>
    | Known<'stat', stat.Options, never>
    | Known<'bargauge', bargauge.Options, never>
    | Known<'heatmap', heatmap.Options, Plain<heatmap.FieldConfig>>
    | Known<'timeseries', timeseries.Options, Plain<timeseries.FieldConfig>>
  )[];
};
